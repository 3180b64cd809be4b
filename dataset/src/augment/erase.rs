//! Random erasing (Zhong et al., 2017).

use super::Erase;
use super::random::Random;

/// Rectangles are drawn until one fits, but no more often.
const ATTEMPTS: usize = 10;

/// Fills a rectangle of the image, [channels, height, width], with noise.
pub(super) fn erase(erase: &Erase, random: &mut Random, shape: [usize; 3], image: &mut [u8]) {
    if !random.happens(erase.probability) {
        return;
    }
    let [_, height, width] = shape;
    for _ in 0..ATTEMPTS {
        let [area, aspect] = [erase.area, erase.aspect].map(|range| range.map(|x| x as f32));
        let pixels = random.between(area[0], area[1]) * (height * width) as f32;
        let aspect = random.between(aspect[0].ln(), aspect[1].ln()).exp();
        let rows = (pixels * aspect).sqrt().round() as usize;
        let columns = (pixels / aspect).sqrt().round() as usize;
        if (1..=height).contains(&rows) && (1..=width).contains(&columns) {
            let top = random.below(height - rows + 1);
            let left = random.below(width - columns + 1);
            for plane in image.chunks_exact_mut(height * width) {
                for row in plane.chunks_exact_mut(width).skip(top).take(rows) {
                    random.fill(&mut row[left..left + columns]);
                }
            }
            return;
        }
    }
}
