//! Classifiers that read a text both ways, by LSTM and by GRU.

use burn::module::{Module, ModuleDisplay};
use burn::nn::{
    BiGru, BiGruConfig, BiLstm, BiLstmConfig, Embedding, EmbeddingConfig, Linear, LinearConfig,
};
use burn::tensor::{Device, Int, Tensor};
use exporter::{Exporter, dims};
use tests::export::{integers, network, trained};

/// Words in, and logits of what was read out.
#[derive(Module, Debug)]
struct Classifier<R: Module + ModuleDisplay> {
    words: Embedding,
    reader: R,
    head: Linear,
}

impl<R: Module + ModuleDisplay> Classifier<R> {
    fn new(reader: R) -> Self {
        let device = Device::flex();
        Self {
            words: EmbeddingConfig::new(40, 12).init(&device),
            reader,
            head: LinearConfig::new(32, 3).init(&device),
        }
    }

    /// Logits, [n, 3], of words, [n, length].
    fn forward(
        &self,
        words: Tensor<2, Int>,
        read: impl Fn(&R, Tensor<3>) -> Tensor<3>,
    ) -> Tensor<2> {
        let states = read(&self.reader, self.words.forward(words));
        self.head.forward(states.mean_dim(1).squeeze_dim::<2>(1))
    }
}

fn check<R: Module + ModuleDisplay>(
    name: &str,
    reader: R,
    read: impl Fn(&R, Tensor<3>) -> Tensor<3>,
) {
    let classifier = trained(Classifier::new(reader));
    let exporter = Exporter::new()
        .input("words", dims!["batch", "length"])
        .output("logits");
    let texts = |n: usize| integers([n, 3 * n + 1], 0.0, 39.0);
    network(name).check(
        exporter,
        &classifier,
        texts,
        |classifier, words: Tensor<2, Int>| classifier.forward(words, &read),
    );
}

#[test]
fn bidirectional_lstm_matches_burn() {
    let reader: BiLstm = BiLstmConfig::new(12, 16, true).init(&Device::flex());
    check("BiLSTM", reader, |reader, x| reader.forward(x, None).0);
}

#[test]
fn bidirectional_gru_matches_burn() {
    let reader: BiGru = BiGruConfig::new(12, 16, true).init(&Device::flex());
    check("BiGRU", reader, |reader, x| reader.forward(x, None).0);
}
