//! The built-in networks: YAML files compiled into the binary.

use crate::ModelSpec;

/// Name and YAML text of each built-in network.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("cnn-10-20", include_str!("../zoo/cnn-10-20.yaml")),
    ("cnn-32-64", include_str!("../zoo/cnn-32-64.yaml")),
    (
        "cnn-16-32-32-64",
        include_str!("../zoo/cnn-16-32-32-64.yaml"),
    ),
    (
        "cnn-8-16-32-64-64",
        include_str!("../zoo/cnn-8-16-32-64-64.yaml"),
    ),
    ("lenet5", include_str!("../zoo/lenet5.yaml")),
];

/// The built-in network called `name`, if there is one.
pub fn built_in(name: &str) -> Option<ModelSpec> {
    let (_, yaml) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name)?;
    Some(serde_saphyr::from_str(yaml).expect("built-in networks are valid YAML, by a test"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_are_those_of_the_pytorch_networks() {
        let counts = BUILT_IN.map(|(name, _)| {
            let architecture = built_in(name).unwrap().resolve([1, 28, 28]).unwrap();
            (name, architecture.parameters())
        });
        assert_eq!(
            counts,
            [
                ("cnn-10-20", 21_840),
                ("cnn-32-64", 121_930),
                ("cnn-16-32-32-64", 121_514),
                ("cnn-8-16-32-64-64", 201_354),
                ("lenet5", 44_426),
            ]
        );
    }

    #[test]
    fn lenet5_takes_colour_images_of_32_by_32() {
        let architecture = built_in("lenet5").unwrap().resolve([3, 32, 32]).unwrap();
        assert_eq!(architecture.parameters(), 62_006);
    }
}
