//! Time of one training step, plain `flex` and fused, alternately.
//!
//!     cargo run --release -p kernels --example step -- [network] [steps] [fused]
//!
//! With `fused` as the last argument, flex is left out: for profiles.

use std::time::Instant;

use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use kernels::{Conv2dBlock, conv2d_block, fused_calls, keep_freed_memory, set_enabled};

/// Images of a step.
const BATCH: usize = 64;

/// A network of convolution blocks and linear layers.
struct Plan {
    name: &'static str,
    /// Channels, kernel size, padding, pooling.
    convs: &'static [(usize, usize, usize, bool)],
    linears: &'static [usize],
}

const PLANS: &[Plan] = &[
    Plan {
        name: "cnn-32-64",
        convs: &[(32, 3, 0, true), (64, 3, 0, true)],
        linears: &[64, 10],
    },
    Plan {
        name: "cnn-10-20",
        convs: &[(10, 5, 0, true), (20, 5, 0, true)],
        linears: &[50, 10],
    },
    Plan {
        name: "lenet5",
        convs: &[(6, 5, 0, true), (16, 5, 0, true)],
        linears: &[120, 84, 10],
    },
    Plan {
        name: "cnn-16-32-32-64",
        convs: &[
            (16, 5, 2, true),
            (32, 5, 2, false),
            (32, 5, 2, true),
            (64, 5, 2, false),
        ],
        linears: &[10],
    },
    Plan {
        name: "cnn-8-16-32-64-64",
        convs: &[
            (8, 5, 2, false),
            (16, 5, 2, true),
            (32, 5, 2, true),
            (64, 5, 2, false),
            (64, 5, 2, false),
        ],
        linears: &[10],
    },
];

#[derive(Module, Debug)]
struct Conv {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    padding: usize,
    pool: bool,
}

#[derive(Module, Debug)]
struct Net {
    convs: Vec<Conv>,
    linears: Vec<Linear>,
}

impl Net {
    fn new(plan: &Plan, device: &Device) -> Net {
        let (mut channels, mut size) = (1, 28);
        let convs = plan.convs.iter().map(|&(out, kernel, padding, pool)| {
            let bound = 1.0 / ((channels * kernel * kernel) as f64).sqrt();
            let uniform = Distribution::Uniform(-bound, bound);
            let weight = Tensor::random([out, channels, kernel, kernel], uniform, device);
            let bias = Tensor::random([out], uniform, device);
            channels = out;
            size = (size + 2 * padding - kernel + 1) / if pool { 2 } else { 1 };
            Conv {
                weight: Param::from_tensor(weight),
                bias: Param::from_tensor(bias),
                padding,
                pool,
            }
        });
        let convs: Vec<Conv> = convs.collect();
        let mut features = channels * size * size;
        let linears = plan.linears.iter().map(|&out| {
            let linear = LinearConfig::new(features, out).init(device);
            features = out;
            linear
        });
        Net {
            convs,
            linears: linears.collect(),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for conv in &self.convs {
            let block = Conv2dBlock {
                stride: [1, 1],
                padding: [conv.padding; 4],
                relu: true,
                max_pool: conv.pool,
            };
            x = conv2d_block(x, conv.weight.val(), Some(conv.bias.val()), &block);
        }
        let mut x: Tensor<2> = x.flatten(1, 3);
        for (i, linear) in self.linears.iter().enumerate() {
            if i > 0 {
                x = relu(x);
            }
            x = linear.forward(x);
        }
        x
    }
}

/// Processor time of this process in milliseconds, from the clock ticks that Linux reports.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| {
        after_name
            .split_whitespace()
            .nth(field)
            .and_then(|f| f.parse::<f64>().ok())
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) * 10.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Wall and processor milliseconds per step, and the last loss.
fn measure(plan: &Plan, fused: bool, steps: usize) -> (f64, f64, f32) {
    set_enabled(fused);
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut net = Net::new(plan, &device);
    let mut optimizer = SgdConfig::new().init();
    let loss_of = CrossEntropyLossConfig::new().init(&device);
    let images = Tensor::<4>::random([BATCH, 1, 28, 28], Distribution::Uniform(0.0, 1.0), &device);
    let labels = Tensor::<1, Int>::arange(0..BATCH as i64, &device).remainder_scalar(10);
    let calls = fused_calls();
    let (mut times, mut loss, mut cpu) = (Vec::new(), 0.0, 0.0);
    for step in 0..steps + 3 {
        if step == 3 {
            (times, cpu) = (Vec::new(), cpu_ms());
        }
        let start = Instant::now();
        let output = loss_of.forward(net.forward(images.clone()), labels.clone());
        let grads = GradientsParams::from_grads(output.backward(), &net);
        net = optimizer.step(0.01, net, grads);
        loss = output.into_scalar();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let expected = if fused {
        (steps + 3) * plan.convs.len()
    } else {
        0
    };
    assert_eq!(
        fused_calls() - calls,
        expected as u64,
        "the measured path is not the intended one"
    );
    (median(times), (cpu_ms() - cpu) / steps as f64, loss)
}

fn main() {
    keep_freed_memory();
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "all".to_owned());
    let steps = args
        .next()
        .and_then(|steps| steps.parse().ok())
        .unwrap_or(30);
    let fused_only = args.next().is_some_and(|arg| arg == "fused");
    for plan in PLANS
        .iter()
        .filter(|plan| name == "all" || plan.name == name)
    {
        for _ in 0..2 {
            print!("{:18}", plan.name);
            let separate = (!fused_only).then(|| measure(plan, false, steps));
            let (time, cpu, loss) = measure(plan, true, steps);
            print!(" fused {time:6.2} ms (cpu {cpu:6.2}), loss {loss:.5}");
            if let Some((flex_time, flex_cpu, flex_loss)) = separate {
                print!("  flex {flex_time:7.2} ms (cpu {flex_cpu:7.2}), loss {flex_loss:.5}");
                print!(
                    "  ratio {:.1} (cpu {:.1})",
                    flex_time / time,
                    flex_cpu / cpu
                );
            }
            println!();
        }
    }
}
