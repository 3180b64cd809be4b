//! Time of operations of many shapes, forward and backward, plain `flex` and fused, alternately:
//! no shape may be slower fused than plain.
//!
//!     cargo run --release -p kernels --example shapes

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{
    Conv2dBlock, awake, batch_norm_train, conv2d_block, fused_calls, keep_freed_memory, linear,
    set_enabled,
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

/// Forward and backward passes of each operation at a shape.
const ROUNDS: usize = 15;

fn main() {
    keep_freed_memory();
    println!("flex ms, fused ms, ratio, fused GFLOP/s");
    println!("batch, in, size, out, kernel, stride, padding, pool");
    for &block in BLOCKS {
        compare_block(block);
    }
    println!("batch normalisation: batch, channels, size");
    for &shape in BATCH_NORMS {
        compare_batch_norm(shape);
    }
    println!("linear: batch, in, out");
    for &shape in LINEARS {
        compare_linear(shape);
    }
}

fn compare_block((batch, channels, size, out, kernel, stride, padding, max_pool): Block) {
    let block = Conv2dBlock {
        stride: [stride; 2],
        padding: [padding; 4],
        relu: true,
        max_pool,
    };
    let x = random([batch, channels, size, size]);
    let weight = random([out, channels, kernel, kernel]);
    let bias = random([out]);
    let calls = fused_calls();
    let times = alternately(|| {
        let out = conv2d_block(x.clone(), weight.clone(), Some(bias.clone()), &block);
        let grads = out.sum().backward();
        assert!(weight.grad(&grads).is_some());
    });
    let taken = fused_calls() - calls;
    assert_eq!(taken, ROUNDS as u64, "the fused path was not taken");
    let side = (size + 2 * padding - kernel) / stride + 1;
    let flops = 6 * batch * out * side * side * channels * kernel * kernel;
    print!("{batch:4} {channels:3} {size:3} {out:3} {kernel} {stride} {padding} {max_pool:5}");
    report(times, flops);
}

fn compare_batch_norm([batch, channels, size]: [usize; 3]) {
    let x = random([batch, channels, size, size]);
    let (gamma, beta) = (random([channels]), random([channels]));
    let times = alternately(|| {
        let result = batch_norm_train(x.clone(), gamma.clone(), beta.clone(), 1e-5, true);
        let grads = result.output.sum().backward();
        assert!(x.grad(&grads).is_some());
    });
    print!("{batch:4} {channels:3} {size:3}                ");
    // Sums, squares and products of the two passes.
    report(times, 18 * batch * channels * size * size);
}

fn compare_linear([batch, inputs, outputs]: [usize; 3]) {
    let (x, weight) = (random([batch, inputs]), random([inputs, outputs]));
    let bias = random([outputs]);
    let times = alternately(|| {
        let out = linear(x.clone(), weight.clone(), Some(bias.clone()), true);
        let grads = out.sum().backward();
        assert!(weight.grad(&grads).is_some());
    });
    print!("{batch:4} {inputs:4} {outputs:4}             ");
    report(times, 6 * batch * inputs * outputs);
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let device = Device::flex().autodiff();
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &device).require_grad()
}

/// Median milliseconds of `pass`, plain and fused, on threads that are awake as in a training step.
fn alternately(pass: impl Fn() + Sync) -> [f64; 2] {
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
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    })
}

fn report([flex, fused]: [f64; 2], flops: usize) {
    println!(
        ": {flex:8.3} {fused:8.3} {:6.1} {:7.1}",
        flex / fused,
        flops as f64 / fused / 1e6,
    );
}
