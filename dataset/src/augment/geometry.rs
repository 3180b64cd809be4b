//! Where each pixel of an augmented image comes from.

use super::Augment;
use super::random::Random;

/// An affine map from pixels of the new image to places in the old one, in
/// pixels from the centre: (x, y) ↦ m · ((x, y) - shift).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Motion {
    m: [[f32; 2]; 2],
    shift: [f32; 2],
}

pub(super) const STILL: Motion = Motion {
    m: [[1.0, 0.0], [0.0, 1.0]],
    shift: [0.0; 2],
};

impl Motion {
    /// Draws one. What is not set draws nothing but leaves the rest as it is.
    pub(super) fn draw(augment: &Augment, shape: [usize; 3], random: &mut Random) -> Self {
        let [_, height, width] = shape;
        // In f64: maths libraries differ in the last bit, which rounding takes away.
        let mut radians = |most: f64| f64::from(random.either_way(most as f32)).to_radians();
        let angle = radians(augment.rotate);
        let lean = radians(augment.shear).tan() as f32;
        let size = random.between(augment.scale[0] as f32, augment.scale[1] as f32);
        let mirror = |happens: bool| if happens { -1.0 } else { 1.0 };
        let flip = [
            mirror(random.happens(augment.flip.horizontal)),
            mirror(random.happens(augment.flip.vertical)),
        ];
        let mut offset = |side: usize| {
            let pixels = random.below(2 * augment.crop + 1) as f32 - augment.crop as f32;
            pixels + random.either_way(augment.translate as f32) * side as f32
        };
        let shift = [offset(width), offset(height)];
        // The new image is the old one mirrored, scaled, sheared and rotated:
        // the map back is the inverse of each, in the other order.
        let (sin, cos) = (angle.sin() as f32, angle.cos() as f32);
        let unrotated = [[cos, sin], [-sin, cos]];
        let unsheared = [0, 1].map(|column| unrotated[0][column] - lean * unrotated[1][column]);
        let row = |row: [f32; 2], flip: f32| row.map(|value| flip * value / size);
        Self {
            m: [row(unsheared, flip[0]), row(unrotated[1], flip[1])],
            shift,
        }
    }
}

impl Motion {
    /// Where a pixel of an image of [height, width] comes from, in pixels of the
    /// old image with a margin of one, is the sum of a part that depends on the
    /// column, written to `across` for each of them, …
    pub(super) fn across(
        &self,
        [height, width]: [usize; 2],
        columns: usize,
        across: &mut [Vec<f32>; 2],
    ) {
        let centre = [width, height].map(|side| (side - 1) as f32 / 2.0);
        let left = -centre[0] - self.shift[0];
        for ((out, m), centre) in across.iter_mut().zip(self.m).zip(centre) {
            let place = |x| m[0] * (x as f32 + left) + centre + 1.0;
            out.clear();
            out.extend((0..columns).map(place));
        }
    }

    /// … and a part that depends on the row.
    pub(super) fn down(&self, y: usize, height: usize) -> [f32; 2] {
        let v = y as f32 - (height - 1) as f32 / 2.0 - self.shift[1];
        self.m.map(|row| row[1] * v)
    }
}
