//! How far a kernel reaches, for the checks before `unsafe` code.

/// The sum of products, or the largest number where it fits into none: that is beyond every slice.
pub(crate) fn reach<const N: usize>(products: [[usize; 2]; N]) -> usize {
    let product = |[count, step]: [usize; 2]| count.saturating_mul(step);
    products
        .into_iter()
        .map(product)
        .fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_of_absurd_sizes_does_not_wrap() {
        assert_eq!(reach([[2, 3], [1, 4]]), 10);
        assert_eq!(reach([[usize::MAX, 3], [1, 4]]), usize::MAX);
    }
}
