//! Sizes that depend on symbolic dimensions.
//!
//! A graph is captured several times, each time with other sizes for the
//! symbols. An [`Extent`] is what one dimension or one count was in each of
//! these captures, and [`Symbols::explain`] finds the formula behind it.

/// How often a graph is captured beyond once for each symbol: the base, and two
/// in which all symbols differ from every other capture.
const CAPTURES_BESIDES_SYMBOLS: usize = 3;

/// Sizes that a symbol takes: the base, the one that moves alone, and the two
/// of the captures that check.
pub(crate) const SAMPLES: usize = 4;

/// The sizes of a batch, which multiplies what inputs take in memory.
pub(crate) const BATCH: [usize; SAMPLES] = [2, 3, 5, 7];

/// The sizes of the symbol at a position: different for each symbol and capture,
/// so that sizes coincide only where they are the same thing; of every remainder by
/// 2, 3 and 4, so that no two ways of rounding agree, `⌈n / 4⌉` and `⌊n / 4⌋ + 1`
/// for example; and without a common divisor of their differences, so that what is
/// rounded is no line.
///
/// Where it moves alone, a size is a multiple of 12. That of a `wide` symbol is
/// beyond any usual stride, by which smaller sizes all round to one, and below 512,
/// the most that many text encoders take; the first four are multiples of 96, which
/// divide by the larger strides as well.
pub(crate) fn sizes_at(position: usize, wide: bool) -> [usize; SAMPLES] {
    let base = 15 + 12 * position;
    let alone = match wide {
        true => 192 + 96 * (position % 4) + 12 * (position / 4),
        false => base + 9,
    };
    [base, alone, base + 2, base + 7]
}

/// A dimension, a bound or a count, as seen in each capture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Extent {
    seen: Vec<i64>,
}

impl Extent {
    pub fn new(seen: Vec<i64>) -> Self {
        Self { seen }
    }

    /// What each capture saw, in their order.
    pub fn seen(&self) -> &[i64] {
        &self.seen
    }

    /// The value, when no symbol changes it.
    pub fn fixed(&self) -> Option<i64> {
        let first = *self.seen.first()?;
        self.seen
            .iter()
            .all(|value| *value == first)
            .then_some(first)
    }

    pub fn is(&self, value: i64) -> bool {
        self.fixed() == Some(value)
    }

    /// `self - other`, capture by capture.
    pub fn minus(&self, other: &Self) -> Self {
        let pairs = self.seen.iter().zip(&other.seen);
        Self::new(pairs.map(|(a, b)| a - b).collect())
    }

    /// A capture's value; a fixed extent has the same in all.
    pub fn in_capture(&self, capture: usize) -> i64 {
        self.seen[capture]
    }
}

/// The symbols of an export, with the size that each has in each capture.
#[derive(Clone, Debug)]
pub(crate) struct Symbols {
    names: Vec<String>,
    sizes: Vec<Vec<i64>>,
}

/// How a size follows from the symbols' sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Formula {
    Fixed(i64),
    /// `(Σ coefficient · symbol + offset) / divisor`
    Affine {
        coefficients: Vec<i64>,
        offset: i64,
        divisor: i64,
    },
    /// `factor · Π symbol`, over at least two symbols
    Product {
        factor: i64,
        symbols: Vec<usize>,
    },
    Unexplained,
}

impl Symbols {
    /// Symbols in order of appearance, each with the sizes that it takes.
    pub fn new(names: Vec<String>, samples: impl Fn(usize) -> [usize; SAMPLES]) -> Self {
        let captures = names.len() + CAPTURES_BESIDES_SYMBOLS;
        let sizes = (0..names.len())
            .map(|symbol| {
                let samples = samples(symbol);
                (0..captures)
                    .map(|capture| samples[sample_of(symbol, capture, names.len())] as i64)
                    .collect()
            })
            .collect();
        Self { names, sizes }
    }

    pub fn captures(&self) -> usize {
        self.names.len() + CAPTURES_BESIDES_SYMBOLS
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn name(&self, symbol: usize) -> &str {
        &self.names[symbol]
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The extent of a symbol itself.
    pub fn extent(&self, symbol: usize) -> Extent {
        Extent::new(self.sizes[symbol].clone())
    }

    /// An extent that no symbol changes.
    pub fn constant(&self, value: i64) -> Extent {
        Extent::new(vec![value; self.captures()])
    }

    /// `batch = 2, height = 64`: the symbols' sizes in a capture.
    pub fn describe(&self, capture: usize) -> String {
        let pairs = self.names.iter().zip(&self.sizes);
        let pairs = pairs.map(|(name, sizes)| format!("{name} = {}", sizes[capture]));
        let text = pairs.collect::<Vec<_>>().join(", ");
        if text.is_empty() {
            "fixed sizes".to_owned()
        } else {
            text
        }
    }

    /// The formula that gives exactly what every capture saw.
    pub fn explain(&self, extent: &Extent) -> Formula {
        if let Some(value) = extent.fixed() {
            return Formula::Fixed(value);
        }
        self.affine(extent)
            .or_else(|| self.product(extent))
            .unwrap_or(Formula::Unexplained)
    }

    /// Capture `1 + s` moves the symbol `s` alone, which gives its slope; the
    /// other captures confirm or refute.
    fn affine(&self, extent: &Extent) -> Option<Formula> {
        let base = extent.seen[0];
        let slopes: Vec<(i64, i64)> = (0..self.len())
            .map(|symbol| {
                let sizes = &self.sizes[symbol];
                let rise = extent.seen[1 + symbol] - base;
                reduced(rise, sizes[1 + symbol] - sizes[0])
            })
            .collect();
        let divisor = slopes
            .iter()
            .fold(1, |lcm, (_, den)| least_common(lcm, *den));
        let coefficients: Vec<i64> = slopes
            .iter()
            .map(|(num, den)| num * (divisor / den))
            .collect();
        let weighted = |capture: usize| -> i64 {
            let terms = coefficients.iter().zip(&self.sizes);
            terms.map(|(factor, sizes)| factor * sizes[capture]).sum()
        };
        let offset = base * divisor - weighted(0);
        (0..self.captures())
            .all(|capture| weighted(capture) + offset == extent.seen[capture] * divisor)
            .then_some(Formula::Affine {
                coefficients,
                offset,
                divisor,
            })
    }

    fn product(&self, extent: &Extent) -> Option<Formula> {
        let symbols: Vec<usize> = (0..self.len())
            .filter(|symbol| extent.seen[1 + symbol] != extent.seen[0])
            .collect();
        let product = |capture: usize| -> i64 {
            let sizes = symbols.iter().map(|symbol| self.sizes[*symbol][capture]);
            sizes.product()
        };
        if symbols.len() < 2 || product(0) == 0 {
            return None;
        }
        let factor = extent.seen[0] / product(0);
        (0..self.captures())
            .all(|capture| factor * product(capture) == extent.seen[capture])
            .then_some(Formula::Product { factor, symbols })
    }

    /// `2·batch + 1`: the formula as people write it; what was seen where there
    /// is none.
    pub fn describe_extent(&self, extent: &Extent) -> String {
        self.formula_text(&self.explain(extent))
            .unwrap_or_else(|| format!("{:?}", extent.seen))
    }

    /// A formula as text; nothing where there is none.
    pub fn formula_text(&self, formula: &Formula) -> Option<String> {
        match formula {
            Formula::Fixed(value) => Some(value.to_string()),
            Formula::Affine {
                coefficients,
                offset,
                divisor,
            } => Some(self.affine_text(coefficients, *offset, *divisor)),
            Formula::Product { factor, symbols } => {
                let names = symbols.iter().map(|symbol| self.name(*symbol).to_owned());
                let factor = (*factor != 1).then(|| factor.to_string());
                Some(
                    factor
                        .into_iter()
                        .chain(names)
                        .collect::<Vec<_>>()
                        .join("*"),
                )
            }
            Formula::Unexplained => None,
        }
    }

    fn affine_text(&self, coefficients: &[i64], offset: i64, divisor: i64) -> String {
        let mut text = String::new();
        for (symbol, coefficient) in coefficients.iter().enumerate() {
            let name = self.name(symbol);
            match coefficient {
                0 => continue,
                1 => push_term(&mut text, 1, name),
                -1 => push_term(&mut text, -1, name),
                other => push_term(&mut text, *other, &format!("{}*{name}", other.abs())),
            }
        }
        if offset != 0 {
            push_term(&mut text, offset, &offset.abs().to_string());
        }
        if divisor == 1 {
            text
        } else {
            format!("({text})/{divisor}")
        }
    }
}

/// Which of a symbol's samples a capture uses.
fn sample_of(symbol: usize, capture: usize, symbols: usize) -> usize {
    match capture {
        0 => 0,
        moved if moved <= symbols => usize::from(moved == symbol + 1),
        checking => 2 + (checking - symbols - 1),
    }
}

fn push_term(text: &mut String, sign: i64, term: &str) {
    let operator = match (text.is_empty(), sign < 0) {
        (true, false) => "",
        (true, true) => "-",
        (false, false) => " + ",
        (false, true) => " - ",
    };
    text.push_str(operator);
    text.push_str(term);
}

/// `numerator / denominator` in lowest terms, with a positive denominator.
pub(crate) fn reduced(numerator: i64, denominator: i64) -> (i64, i64) {
    let divisor = greatest_common(numerator, denominator).max(1) * denominator.signum();
    (numerator / divisor, denominator / divisor)
}

fn greatest_common(a: i64, b: i64) -> i64 {
    if b == 0 {
        a.abs()
    } else {
        greatest_common(b, a % b)
    }
}

fn least_common(a: i64, b: i64) -> i64 {
    a / greatest_common(a, b) * b
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn symbols(names: &[&str]) -> Symbols {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Symbols::new(names, |symbol| sizes_at(symbol, true))
    }

    fn text(symbols: &Symbols, size: impl Fn(&[i64]) -> i64) -> String {
        let seen = (0..symbols.captures()).map(|capture| {
            let sizes: Vec<i64> = symbols.sizes.iter().map(|sizes| sizes[capture]).collect();
            size(&sizes)
        });
        symbols.describe_extent(&Extent::new(seen.collect()))
    }

    #[test]
    fn affine_sizes_are_explained() {
        let symbols = symbols(&["batch", "height"]);
        assert_eq!(text(&symbols, |n| n[0]), "batch");
        assert_eq!(text(&symbols, |n| 2 * n[0] + 1), "2*batch + 1");
        assert_eq!(text(&symbols, |n| n[1] - n[0] - 3), "-batch + height - 3");
        assert_eq!(text(&symbols, |_| 10), "10");
    }

    #[test]
    fn products_of_symbols_are_explained() {
        let symbols = symbols(&["batch", "height", "width"]);
        assert_eq!(text(&symbols, |n| 3 * n[1] * n[2]), "3*height*width");
    }

    #[test]
    fn rounded_sizes_are_neither_fixed_nor_affine() {
        let symbols = symbols(&["height", "width", "depth"]);
        for symbol in 0..symbols.len() {
            for stride in 2..=128 {
                for padding in [0, 1, stride / 2, stride - 1] {
                    let extent = each(&symbols, symbol, |size| (size + padding) / stride);
                    assert_eq!(symbols.explain(&extent), Formula::Unexplained, "{extent:?}");
                }
            }
        }
    }

    /// What a symbol's samples become.
    fn each(symbols: &Symbols, symbol: usize, size: impl Fn(i64) -> i64) -> Extent {
        let sizes = symbols.sizes[symbol].iter();
        Extent::new(sizes.map(|sample| size(*sample)).collect())
    }

    #[test]
    fn two_ways_of_rounding_differ() {
        for wide in [true, false] {
            let names = ["height", "width", "depth"].map(str::to_owned);
            let symbols = Symbols::new(names.into(), |symbol| sizes_at(symbol, wide));
            for symbol in 0..symbols.len() {
                for stride in [2, 3, 4] {
                    let rounded = (0..stride)
                        .map(|moved| each(&symbols, symbol, |size| (size + moved) / stride));
                    let rounded: BTreeSet<Extent> = rounded.collect();
                    assert_eq!(rounded.len(), stride as usize, "{symbol} by {stride}");
                }
                let strides: &[i64] = match wide {
                    true => &[2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96],
                    false => &[2, 3, 4, 6, 12],
                };
                for stride in strides {
                    let up = each(&symbols, symbol, |size| (size + stride - 1) / stride);
                    let down = each(&symbols, symbol, |size| size / stride + 1);
                    assert_ne!(up, down, "{symbol} by {stride}");
                }
            }
        }
    }

    #[test]
    fn rounded_sizes_of_two_symbols_differ() {
        let symbols = symbols(&["height", "width", "depth", "length"]);
        for stride in 1..=128 {
            let rounded =
                (0..symbols.len()).map(|symbol| each(&symbols, symbol, |size| size / stride));
            let rounded: BTreeSet<Extent> = rounded.collect();
            assert_eq!(rounded.len(), symbols.len(), "by {stride}");
        }
    }

    #[test]
    fn halves_are_explained_where_all_samples_are_even() {
        let names = vec!["height".to_owned()];
        let symbols = Symbols::new(names, |_| [32, 48, 80, 112]);
        assert_eq!(text(&symbols, |n| n[0] / 16), "(height)/16");
    }

    #[test]
    fn no_symbol_takes_more_than_text_encoders_do() {
        let mut all = (0..12).flat_map(|position| sizes_at(position, true));
        assert!(all.all(|size| size < 512));
    }

    #[test]
    fn sizes_never_repeat() {
        let wide = (0..12).flat_map(|position| sizes_at(position, true));
        let mut all: Vec<usize> = wide.chain(BATCH).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
