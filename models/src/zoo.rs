//! The built-in networks: YAML files compiled into the binary.

use crate::ModelSpec;

/// A built-in network.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// What `model:` calls it.
    pub name: &'static str,
    /// Shape of the images it is made for; it may take others.
    pub input: [usize; 3],
    /// Its layers.
    yaml: &'static str,
}

/// Shape of MNIST's images.
const MNIST: [usize; 3] = [1, 28, 28];
/// Shape of CIFAR's images.
const CIFAR: [usize; 3] = [3, 32, 32];

/// All built-in networks.
pub const BUILT_IN: [BuiltIn; 7] = [
    BuiltIn {
        name: "cnn-10-20",
        input: MNIST,
        yaml: include_str!("../zoo/cnn-10-20.yaml"),
    },
    BuiltIn {
        name: "cnn-32-64",
        input: MNIST,
        yaml: include_str!("../zoo/cnn-32-64.yaml"),
    },
    BuiltIn {
        name: "cnn-16-32-32-64",
        input: MNIST,
        yaml: include_str!("../zoo/cnn-16-32-32-64.yaml"),
    },
    BuiltIn {
        name: "cnn-8-16-32-64-64",
        input: MNIST,
        yaml: include_str!("../zoo/cnn-8-16-32-64-64.yaml"),
    },
    BuiltIn {
        name: "cnn-32-64-128",
        input: MNIST,
        yaml: include_str!("../zoo/cnn-32-64-128.yaml"),
    },
    BuiltIn {
        name: "lenet5",
        input: MNIST,
        yaml: include_str!("../zoo/lenet5.yaml"),
    },
    BuiltIn {
        name: "resnet-cifar",
        input: CIFAR,
        yaml: include_str!("../zoo/resnet-cifar.yaml"),
    },
];

/// The built-in network called `name`, if there is one.
pub fn built_in(name: &str) -> Option<ModelSpec> {
    let network = BUILT_IN.iter().find(|network| network.name == name)?;
    Some(network.spec())
}

impl BuiltIn {
    /// The layers.
    pub fn spec(&self) -> ModelSpec {
        serde_saphyr::from_str(self.yaml).expect("built-in networks are valid YAML, by a test")
    }

    /// What it is, in a sentence or two: the comment at the head of its file.
    pub fn about(&self) -> String {
        let lines = self.yaml.lines().map_while(|line| line.strip_prefix('#'));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_are_those_of_the_pytorch_networks() {
        let counts = BUILT_IN.map(|network| {
            let architecture = network.spec().resolve(network.input).unwrap();
            (network.name, architecture.parameters())
        });
        assert_eq!(
            counts,
            [
                ("cnn-10-20", 21_840),
                ("cnn-32-64", 121_930),
                ("cnn-16-32-32-64", 121_514),
                ("cnn-8-16-32-64-64", 201_354),
                ("cnn-32-64-128", 274_826),
                ("lenet5", 44_426),
                // 269,722 of the paper's network and 2,752 of two projections.
                ("resnet-cifar", 272_474),
            ]
        );
    }

    #[test]
    fn lenet5_takes_colour_images_of_32_by_32() {
        let architecture = built_in("lenet5").unwrap().resolve(CIFAR).unwrap();
        assert_eq!(architecture.parameters(), 62_006);
    }

    #[test]
    fn every_network_says_what_it_is() {
        for network in BUILT_IN {
            let about = network.about();
            assert!(about.ends_with('.') && about.len() > 20, "{about}");
        }
    }
}
