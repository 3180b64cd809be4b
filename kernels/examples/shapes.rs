//! Time of operations of many shapes, forward and backward, plain `flex` and fused, alternately.
//! It fails if a shape takes more than 5% longer fused than plain, which is measured thrice before
//! it counts. Leave the machine idle meanwhile.
//!
//!     cargo run --release -p kernels --example shapes > bench/results/shapes.txt

use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{
    Conv2dBlock, Operation, PoolWindow, avg_pool, awake, batch_norm_train, conv2d_block,
    fused_calls, keep_freed_memory, linear, max_pool, set_enabled,
};

/// Batch, input channels, input size, output channels, kernel size, stride, padding, pooling.
type Block = (usize, usize, usize, usize, usize, usize, usize, bool);

const BLOCKS: &[Block] = &[
    (64, 1, 28, 32, 3, 1, 0, true),
    (64, 32, 13, 64, 3, 1, 0, true),
    (1, 32, 13, 64, 3, 1, 0, true),
    (64, 1, 28, 6, 5, 1, 0, true),
    (64, 3, 32, 6, 5, 1, 0, true),
    (64, 16, 14, 16, 3, 1, 1, false),
    (64, 32, 14, 32, 3, 1, 1, false),
    (64, 64, 14, 64, 3, 1, 1, false),
    (64, 128, 14, 128, 3, 1, 1, false),
    (16, 256, 14, 256, 3, 1, 1, false),
    (4, 512, 7, 512, 3, 1, 1, false),
    (32, 64, 16, 64, 1, 1, 0, false),
    (16, 256, 14, 64, 1, 1, 0, false),
    (16, 64, 28, 128, 3, 2, 1, false),
    (8, 3, 64, 64, 7, 2, 3, true),
    (8, 3, 64, 16, 8, 4, 0, false),
    (64, 5, 9, 7, 3, 1, 1, true),
    (64, 2, 8, 3, 2, 1, 0, false),
    (64, 64, 4, 64, 4, 1, 0, false),
    (32, 1, 128, 8, 3, 1, 1, true),
];

/// Batch, channels, size.
const BATCH_NORMS: &[[usize; 3]] = &[
    [128, 16, 32],
    [128, 32, 16],
    [128, 64, 8],
    [64, 16, 28],
    [1, 16, 28],
    [64, 3, 32],
    [16, 256, 14],
    [4, 512, 7],
    [2, 4, 3],
    [64, 64, 1],
    [64, 64, 2],
    [64, 64, 3],
    [64, 64, 4],
    [1024, 16, 28],
];

/// Batch, inputs, outputs.
const LINEARS: &[[usize; 3]] = &[
    [64, 1600, 64],
    [64, 64, 10],
    [64, 3136, 128],
    [64, 320, 50],
    [64, 784, 512],
    [512, 784, 512],
    [1, 1600, 64],
    [4, 400, 120],
    [128, 1024, 1024],
    [128, 1024, 2048],
    [128, 2048, 1024],
    [32, 2048, 1024],
    [128, 2048, 2048],
    [1024, 256, 10],
];

/// Batch, channels, size; kernel size, stride and padding.
const POOLS: &[([usize; 3], [usize; 3])] = &[
    ([64, 32, 26], [2, 2, 0]),
    ([64, 64, 13], [2, 2, 0]),
    ([64, 16, 28], [3, 2, 1]),
    ([64, 16, 28], [3, 1, 1]),
    ([64, 64, 7], [7, 1, 0]),
    ([8, 64, 56], [3, 2, 1]),
    ([1, 16, 28], [2, 2, 0]),
    ([64, 128, 4], [2, 2, 0]),
];

/// Forward and backward passes of each operation at a shape.
const ROUNDS: usize = 15;

/// Least speed of the kernels, beside Burn's own operations.
const LEAST_RATIO: f64 = 0.95;

/// How often a shape is measured before it counts as too slow.
const ATTEMPTS: usize = 3;

fn main() -> ExitCode {
    keep_freed_memory();
    let mut slow = 0;
    println!("operation: sizes, flex ms, fused ms, ratio");
    for &block in BLOCKS {
        slow += usize::from(!compare_block(block));
    }
    for &shape in BATCH_NORMS {
        slow += usize::from(!compare_batch_norm(shape));
    }
    for &shape in LINEARS {
        slow += usize::from(!compare_linear(shape));
    }
    for &(shape, window) in POOLS {
        slow += usize::from(!compare_pool("max_pool", max_pool, shape, window));
        slow += usize::from(!compare_pool("avg_pool", avg_pool, shape, window));
    }
    println!("{slow} shapes are slower by more than 5%");
    if slow == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn compare_block((batch, channels, size, out, kernel, stride, padding, max_pool): Block) -> bool {
    let block = Conv2dBlock {
        stride: [stride; 2],
        padding: [padding; 4],
        relu: true,
        max_pool,
    };
    let x = random([batch, channels, size, size]);
    let weight = random([out, channels, kernel, kernel]);
    let bias = random([out]);
    let pool = if max_pool { ", pool 2" } else { "" };
    let name = format!(
        "conv2d {batch}x{channels}x{size}x{size} to {out}, kernel {kernel}, stride {stride}, \
         padding {padding}{pool}"
    );
    compare(&name, Operation::Conv2d, || {
        let out = conv2d_block(x.clone(), weight.clone(), Some(bias.clone()), &block);
        let grads = out.sum().backward();
        assert!(weight.grad(&grads).is_some());
    })
}

fn compare_batch_norm([batch, channels, size]: [usize; 3]) -> bool {
    let x = random([batch, channels, size, size]);
    let (gamma, beta) = (random([channels]), random([channels]));
    let name = format!("batch_norm {batch}x{channels}x{size}x{size}");
    compare(&name, Operation::BatchNorm, || {
        let result = batch_norm_train(x.clone(), gamma.clone(), beta.clone(), 1e-5, true);
        let grads = result.output.sum().backward();
        assert!(x.grad(&grads).is_some());
    })
}

fn compare_linear([batch, inputs, outputs]: [usize; 3]) -> bool {
    let (x, weight) = (random([batch, inputs]), random([inputs, outputs]));
    let bias = random([outputs]);
    let name = format!("linear {batch}x{inputs} to {outputs}");
    compare(&name, Operation::Linear, || {
        let out = linear(x.clone(), weight.clone(), Some(bias.clone()), true);
        let grads = out.sum().backward();
        assert!(weight.grad(&grads).is_some());
    })
}

fn compare_pool(
    name: &str,
    pool: fn(Tensor<4>, PoolWindow) -> Tensor<4>,
    [batch, channels, size]: [usize; 3],
    [kernel, stride, padding]: [usize; 3],
) -> bool {
    let x = random([batch, channels, size, size]);
    let window = PoolWindow {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
    };
    let name = format!(
        "{name} {batch}x{channels}x{size}x{size}, kernel {kernel}, stride {stride}, padding {padding}"
    );
    compare(&name, Operation::Pool, || {
        let grads = pool(x.clone(), window).sum().backward();
        assert!(x.grad(&grads).is_some());
    })
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let device = Device::flex().autodiff();
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &device).require_grad()
}

/// Prints the times of `pass`, plain and fused; whether the kernels are fast enough, or left the
/// shape to Burn's own operations.
fn compare(name: &str, operation: Operation, pass: impl Fn() + Sync) -> bool {
    let mut measured = Measured::default();
    for _ in 0..ATTEMPTS {
        let calls = fused_calls(operation);
        measured = Measured::of(&pass);
        if fused_calls(operation) == calls {
            println!("{name}: left to flex");
            return true;
        }
        if measured.ratio() >= LEAST_RATIO {
            break;
        }
    }
    let Measured { plain, fused } = measured;
    println!("{name}: {plain:.3}, {fused:.3}, {:.2}", measured.ratio());
    measured.ratio() >= LEAST_RATIO
}

/// Median milliseconds of a pass.
#[derive(Default)]
struct Measured {
    plain: f64,
    fused: f64,
}

impl Measured {
    /// Runs `pass` plain and fused, alternately, on threads that are awake as in a training step.
    fn of(pass: impl Fn() + Sync) -> Measured {
        let time = |fused| {
            set_enabled(fused);
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64() * 1e3
        };
        let mut times = [const { Vec::new() }; 2];
        awake(|| {
            for _ in 0..ROUNDS {
                times[0].push(time(false));
                times[1].push(time(true));
            }
        });
        let [plain, fused] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        });
        Measured { plain, fused }
    }

    fn ratio(&self) -> f64 {
        self.plain / self.fused
    }
}
