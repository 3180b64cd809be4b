//! Which tensor of a file is which parameter of a network.
//!
//! A file that knows the network's names is taken by them. Any other is taken
//! layer by layer, in order: a layer of the network gets the first layer of the
//! file that is left and has its tensors, by last name and shape. Where the order is
//! only that of the names, that is a guess for layers whose names differ by more than numbers.

use std::collections::HashMap;
use std::fmt;

use super::stored::parts;

/// A tensor's name and shape, in PyTorch's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

/// Which tensor of a file is which parameter of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightsMatch {
    /// Every parameter and running statistic of the network, in its order.
    pub pairs: Vec<WeightsPair>,
    /// Tensors of the file that no network needs: the counters of batch norm,
    /// and what stands beside a checkpoint's `state_dict`.
    pub left_out: Vec<String>,
    /// A parameter of each layer for which the file has several that differ by more than
    /// numbers in their names, where it has lost their order: the first was taken.
    pub uncertain: Vec<String>,
}

/// A tensor of a file and the parameter that it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsPair {
    /// Name in the network.
    pub parameter: String,
    /// Name in the file.
    pub tensor: String,
    /// In PyTorch's layout.
    pub shape: Vec<usize>,
}

/// Why the tensors of a file are not those of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorProblem {
    /// The file has nothing for a parameter.
    Missing {
        /// Name in the network.
        parameter: String,
        /// What it should have.
        shape: Vec<usize>,
    },
    /// The network has no place for a tensor.
    Unexpected {
        /// Name in the file.
        tensor: String,
        /// What it has.
        shape: Vec<usize>,
    },
    /// A tensor has another shape than its parameter.
    Shape {
        /// Name in the network.
        parameter: String,
        /// What it should have.
        expected: Vec<usize>,
        /// Name in the file.
        tensor: String,
        /// What it has.
        found: Vec<usize>,
    },
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { parameter, shape } => {
                write!(f, "`{parameter}` {shape:?} is missing")
            }
            Self::Unexpected { tensor, shape } => {
                write!(f, "`{tensor}` {shape:?} is not in this network")
            }
            Self::Shape {
                parameter,
                expected,
                tensor,
                found,
            } if parameter == tensor => write!(
                f,
                "`{tensor}` has the shape {found:?}, but {expected:?} is expected"
            ),
            Self::Shape {
                parameter,
                expected,
                tensor,
                found,
            } => write!(
                f,
                "`{tensor}` has the shape {found:?}, but {expected:?} is expected for \
                 `{parameter}`"
            ),
        }
    }
}

impl WeightsMatch {
    /// Whether the file has the network's own names.
    pub fn is_by_name(&self) -> bool {
        self.pairs.iter().all(|pair| pair.parameter == pair.tensor)
    }
}

/// Finds the tensor of every parameter; the parameters are in order, and so are the tensors
/// where they are `in_order`, else they are sorted by name.
pub(super) fn find(
    parameters: &[Slot],
    tensors: &[Slot],
    in_order: bool,
) -> Result<WeightsMatch, Vec<TensorProblem>> {
    let is_counter = |slot: &&Slot| leaf(&slot.name) == "num_batches_tracked";
    let (counters, tensors): (Vec<&Slot>, Vec<&Slot>) = tensors.iter().partition(is_counter);
    let parameters: Vec<&Slot> = parameters.iter().collect();
    let (mut pairs, uncertain) = if names_agree(&parameters, &tensors) {
        (by_name(&parameters, &tensors)?, Vec::new())
    } else {
        by_order(&parameters, &tensors, in_order)?
    };
    pairs.sort_by_key(|pair| {
        let mut parameters = parameters.iter();
        parameters.position(|slot| slot.name == pair.parameter)
    });
    Ok(WeightsMatch {
        pairs,
        left_out: counters.iter().map(|slot| slot.name.clone()).collect(),
        uncertain,
    })
}

/// Whether all names of one side are on the other, so that a lack or a rest is
/// told by name.
fn names_agree(parameters: &[&Slot], tensors: &[&Slot]) -> bool {
    let within = |some: &[&Slot], others: &[&Slot]| {
        !some.is_empty()
            && some
                .iter()
                .all(|slot| others.iter().any(|other| other.name == slot.name))
    };
    within(parameters, tensors) || within(tensors, parameters)
}

fn by_name(
    parameters: &[&Slot],
    tensors: &[&Slot],
) -> Result<Vec<WeightsPair>, Vec<TensorProblem>> {
    let mut pairs = Vec::new();
    let mut problems = Vec::new();
    for parameter in parameters {
        match tensors.iter().find(|tensor| tensor.name == parameter.name) {
            Some(tensor) if tensor.shape == parameter.shape => pairs.push(pair(parameter, tensor)),
            Some(tensor) => problems.push(other_shape(parameter, tensor)),
            None => problems.push(missing(parameter)),
        }
    }
    let unexpected = tensors
        .iter()
        .filter(|tensor| !parameters.iter().any(|slot| slot.name == tensor.name));
    problems.extend(unexpected.map(|tensor| self::unexpected(tensor)));
    match problems.is_empty() {
        true => Ok(pairs),
        false => Err(problems),
    }
}

/// The pairs, and a parameter of each layer that is [`WeightsMatch::uncertain`].
fn by_order(
    parameters: &[&Slot],
    tensors: &[&Slot],
    in_order: bool,
) -> Result<(Vec<WeightsPair>, Vec<String>), Vec<TensorProblem>> {
    let mut left = layers(tensors);
    let mut pairs = Vec::new();
    let mut unmatched = Vec::new();
    let mut uncertain = Vec::new();
    for layer in layers(parameters) {
        if !in_order && layer.is_uncertain(&left) {
            uncertain.extend(layer.slots.first().map(|slot| slot.name.clone()));
        }
        match left.iter().position(|other| layer.is_like(other)) {
            Some(index) => pairs.extend(layer.pairs(&left.remove(index))),
            None => unmatched.push(layer),
        }
    }
    match unmatched.is_empty() && left.is_empty() {
        true => Ok((pairs, uncertain)),
        false => Err(by_order_problems(unmatched, left)),
    }
}

/// What the layers without a partner lack; those of one kind differ in shape.
fn by_order_problems(unmatched: Vec<Layer<'_>>, mut left: Vec<Layer<'_>>) -> Vec<TensorProblem> {
    let mut problems = Vec::new();
    for layer in unmatched {
        match left.iter().position(|other| layer.is_kin_to(other)) {
            Some(index) => {
                let other = left.remove(index);
                let pairs = layer.slots.iter().zip(&other.slots);
                let differing = pairs.filter(|(slot, other)| slot.shape != other.shape);
                problems.extend(differing.map(|(slot, other)| other_shape(slot, other)));
            }
            None => problems.extend(layer.slots.iter().map(|slot| missing(slot))),
        }
    }
    let rest = left.iter().flat_map(|layer| &layer.slots);
    problems.extend(rest.map(|slot| unexpected(slot)));
    problems
}

/// The tensors of one layer, sorted by their last names.
struct Layer<'a> {
    slots: Vec<&'a Slot>,
}

impl Layer<'_> {
    /// Whether both have tensors of the same last names and shapes.
    fn is_like(&self, other: &Layer<'_>) -> bool {
        self.agrees(other, |one, other| one.shape == other.shape)
    }

    /// Whether it is like two of `others` whose names differ by more than numbers.
    fn is_uncertain(&self, others: &[Layer<'_>]) -> bool {
        let mut alike = others.iter().filter(|other| self.is_like(other));
        let first = alike.next();
        first.is_some_and(|first| alike.any(|other| !first.is_numbered_like(other)))
    }

    /// Whether the names of both are the same but for their numbers.
    fn is_numbered_like(&self, other: &Layer<'_>) -> bool {
        let words = |slot: &&Slot| -> Vec<String> {
            let words = parts(&slot.name).map(|(word, _)| word.to_owned());
            words.collect()
        };
        self.slots.first().map(words) == other.slots.first().map(words)
    }

    /// Whether both have tensors of the same last names and ranks: two
    /// convolutions, or two linear layers.
    fn is_kin_to(&self, other: &Layer<'_>) -> bool {
        self.agrees(other, |one, other| one.shape.len() == other.shape.len())
    }

    fn agrees(&self, other: &Layer<'_>, shapes: impl Fn(&Slot, &Slot) -> bool) -> bool {
        let mut pairs = self.slots.iter().zip(&other.slots);
        self.slots.len() == other.slots.len()
            && pairs.all(|(one, other)| leaf(&one.name) == leaf(&other.name) && shapes(one, other))
    }

    fn pairs(&self, other: &Layer<'_>) -> Vec<WeightsPair> {
        let pairs = self.slots.iter().zip(&other.slots);
        pairs.map(|(slot, other)| pair(slot, other)).collect()
    }
}

/// The layers of a list of tensors, in order of their first tensor.
fn layers<'a>(slots: &[&'a Slot]) -> Vec<Layer<'a>> {
    let mut layers: Vec<Layer<'a>> = Vec::new();
    let mut places = HashMap::new();
    for slot in slots {
        let stem = slot.name.rsplit_once('.').map_or("", |(stem, _)| stem);
        let place = *places.entry(stem).or_insert(layers.len());
        if place == layers.len() {
            layers.push(Layer { slots: Vec::new() });
        }
        layers[place].slots.push(slot);
    }
    for layer in &mut layers {
        layer.slots.sort_by_key(|slot| leaf(&slot.name));
    }
    layers
}

fn leaf(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, leaf)| leaf)
}

fn pair(parameter: &Slot, tensor: &Slot) -> WeightsPair {
    WeightsPair {
        parameter: parameter.name.clone(),
        tensor: tensor.name.clone(),
        shape: parameter.shape.clone(),
    }
}

fn missing(parameter: &Slot) -> TensorProblem {
    TensorProblem::Missing {
        parameter: parameter.name.clone(),
        shape: parameter.shape.clone(),
    }
}

fn unexpected(tensor: &Slot) -> TensorProblem {
    TensorProblem::Unexpected {
        tensor: tensor.name.clone(),
        shape: tensor.shape.clone(),
    }
}

fn other_shape(parameter: &Slot, tensor: &Slot) -> TensorProblem {
    TensorProblem::Shape {
        parameter: parameter.name.clone(),
        expected: parameter.shape.clone(),
        tensor: tensor.name.clone(),
        found: tensor.shape.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn slots(slots: &[(&str, &[usize])]) -> Vec<Slot> {
        let slots = slots.iter().map(|(name, shape)| Slot {
            name: (*name).to_owned(),
            shape: shape.to_vec(),
        });
        slots.collect()
    }

    /// Two convolutions of one shape and a linear layer.
    const OURS: [(&str, &[usize]); 6] = [
        ("conv1.weight", &[2, 2, 3, 3]),
        ("conv1.bias", &[2]),
        ("conv2.weight", &[2, 2, 3, 3]),
        ("conv2.bias", &[2]),
        ("fc1.weight", &[3, 8]),
        ("fc1.bias", &[3]),
    ];

    /// The file's tensor for each of [`OURS`].
    fn matched(theirs: &[(&str, &[usize])]) -> Vec<String> {
        let found = find(&slots(&OURS), &slots(theirs), true).unwrap();
        let parameters: Vec<&str> = found.pairs.iter().map(|pair| &*pair.parameter).collect();
        assert_eq!(parameters, OURS.map(|(name, _)| name));
        found.pairs.into_iter().map(|pair| pair.tensor).collect()
    }

    fn problems(theirs: &[(&str, &[usize])]) -> Vec<String> {
        let problems = find(&slots(&OURS), &slots(theirs), true).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_names_count_whatever_the_order() {
        let mut theirs = OURS;
        theirs.reverse();
        assert_eq!(matched(&theirs), OURS.map(|(name, _)| name));
    }

    #[test]
    fn other_names_are_taken_layer_by_layer_in_order() {
        assert_eq!(
            matched(&[
                ("0.bias", &[2]),
                ("0.weight", &[2, 2, 3, 3]),
                ("0.num_batches_tracked", &[]),
                ("2.weight", &[2, 2, 3, 3]),
                ("2.bias", &[2]),
                ("5.weight", &[3, 8]),
                ("5.bias", &[3]),
            ]),
            [
                "0.weight", "0.bias", "2.weight", "2.bias", "5.weight", "5.bias"
            ]
        );
    }

    /// `conv1` and `conv2` of a file that counts from 0 are its second and third.
    #[test]
    fn names_that_agree_by_chance_do_not_count() {
        assert_eq!(
            matched(&[
                ("conv0.weight", &[2, 2, 3, 3]),
                ("conv0.bias", &[2]),
                ("conv1.weight", &[2, 2, 3, 3]),
                ("conv1.bias", &[2]),
                ("head.weight", &[3, 8]),
                ("head.bias", &[3]),
            ])[..3],
            ["conv0.weight", "conv0.bias", "conv1.weight"]
        );
    }

    /// As safetensors have them of a network whose `stem` was made before its `layer1`.
    #[test]
    fn layers_whose_order_is_lost_are_uncertain_where_they_are_alike() {
        let theirs: [(&str, &[usize]); 6] = [
            ("layer1.conv.bias", &[2]),
            ("layer1.conv.weight", &[2, 2, 3, 3]),
            ("out.bias", &[3]),
            ("out.weight", &[3, 8]),
            ("stem.0.bias", &[2]),
            ("stem.0.weight", &[2, 2, 3, 3]),
        ];
        let uncertain = |theirs: &[(&str, &[usize])], in_order| {
            let found = find(&slots(&OURS), &slots(theirs), in_order).unwrap();
            found.uncertain
        };
        assert_eq!(uncertain(&theirs, false), ["conv1.bias"]);
        assert!(uncertain(&theirs, true).is_empty());
        assert!(uncertain(&OURS, false).is_empty());

        let numbered = theirs.map(|(name, shape)| match name.strip_prefix("stem.0") {
            Some(leaf) => (format!("layer12.conv{leaf}"), shape),
            None => (name.to_owned(), shape),
        });
        let numbered = numbered.each_ref().map(|(name, shape)| (&**name, *shape));
        assert!(uncertain(&numbered, false).is_empty());
    }

    #[test]
    fn every_problem_of_known_names_is_told() {
        assert_eq!(
            problems(&[
                ("conv1.weight", &[2, 1, 3, 3]),
                ("conv1.bias", &[2]),
                ("conv2.weight", &[2, 2, 3, 3]),
                ("conv2.bias", &[2]),
                ("fc1.weight", &[3, 8]),
            ]),
            [
                "`conv1.weight` has the shape [2, 1, 3, 3], but [2, 2, 3, 3] is expected",
                "`fc1.bias` [3] is missing",
            ]
        );
        let extra = [OURS.as_slice(), &[("fc2.bias", &[3])]].concat();
        assert_eq!(problems(&extra), ["`fc2.bias` [3] is not in this network"]);
    }

    #[test]
    fn every_problem_of_unknown_names_is_told() {
        assert_eq!(
            problems(&[
                ("0.weight", &[2, 2, 3, 3]),
                ("0.bias", &[2]),
                ("5.weight", &[4, 8]),
                ("5.bias", &[4]),
                ("6.weight", &[9]),
            ]),
            [
                "`conv2.bias` [2] is missing",
                "`conv2.weight` [2, 2, 3, 3] is missing",
                "`5.bias` has the shape [4], but [3] is expected for `fc1.bias`",
                "`5.weight` has the shape [4, 8], but [3, 8] is expected for `fc1.weight`",
                "`6.weight` [9] is not in this network",
            ]
        );
        assert_eq!(problems(&[]).len(), OURS.len());
    }
}
