//! Time of blocks of many shapes, forward and backward, plain `flex` and fused, alternately: no
//! shape may be slower fused than plain.
//!
//!     cargo run --release -p kernels --example shapes

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use kernels::{Conv2dBlock, conv2d_block, fused_calls, keep_freed_memory, set_enabled};

/// Batch, input channels, input size, output channels, kernel size, stride, padding, pooling.
type Shape = (usize, usize, usize, usize, usize, usize, usize, bool);

const SHAPES: &[Shape] = &[
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

/// Milliseconds of a forward and backward pass.
fn pass(x: &Tensor<4>, weight: &Tensor<4>, bias: &Tensor<1>, block: &Conv2dBlock) -> f64 {
    let start = Instant::now();
    let out = conv2d_block(x.clone(), weight.clone(), Some(bias.clone()), block);
    let grads = out.sum().backward();
    assert!(weight.grad(&grads).is_some());
    start.elapsed().as_secs_f64() * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    keep_freed_memory();
    let device = Device::flex().autodiff();
    println!(
        "batch, in, size, out, kernel, stride, padding, pool: flex ms, fused ms, ratio, fused GFLOP/s"
    );
    for &(batch, channels, size, out, kernel, stride, padding, max_pool) in SHAPES {
        let block = Conv2dBlock {
            stride: [stride; 2],
            padding: [padding; 4],
            relu: true,
            max_pool,
        };
        let random = Distribution::Uniform(-1.0, 1.0);
        let x = Tensor::<4>::random([batch, channels, size, size], random, &device).require_grad();
        let weight =
            Tensor::<4>::random([out, channels, kernel, kernel], random, &device).require_grad();
        let bias = Tensor::<1>::random([out], random, &device).require_grad();
        let (mut flex, mut fused) = (Vec::new(), Vec::new());
        for _ in 0..15 {
            set_enabled(false);
            flex.push(pass(&x, &weight, &bias, &block));
            set_enabled(true);
            let calls = fused_calls();
            fused.push(pass(&x, &weight, &bias, &block));
            assert_eq!(fused_calls(), calls + 1, "the fused path was not taken");
        }
        let (flex, fused) = (median(flex), median(fused));
        let side = (size + 2 * padding - kernel) / stride + 1;
        let flops = 6 * batch * out * side * side * channels * kernel * kernel;
        println!(
            "{batch:3} {channels:3} {size:3} {out:3} {kernel} {stride} {padding} {max_pool:5}: {flex:8.3} \
             {fused:8.3} {:6.1} {:7.1}",
            flex / fused,
            flops as f64 / fused / 1e6,
        );
    }
}
