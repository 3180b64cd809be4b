//! Kitty's graphics protocol: <https://sw.kovidgoyal.net/kitty/graphics-protocol/>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;

use super::Cells;

/// The most Base64 that one escape sequence may carry.
const CHUNK: usize = 4096;

/// The pixels as they are, which the terminal scales; it shall not answer (q=2).
pub(super) fn encode(picture: &RgbImage, Cells { columns, rows }: Cells) -> String {
    let (width, height) = picture.dimensions();
    let head = format!("a=T,f=24,q=2,s={width},v={height},c={columns},r={rows},");
    let mut rest = STANDARD.encode(picture.as_raw());
    let mut text = String::with_capacity(rest.len() + rest.len() / 100 + 100);
    let mut keys = head.as_str();
    while !rest.is_empty() {
        let chunk: String = rest.drain(..CHUNK.min(rest.len())).collect();
        let more = u8::from(!rest.is_empty());
        text += &format!("\x1b_G{keys}m={more};{chunk}\x1b\\");
        keys = "";
    }
    text + "\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use image::Rgb;

    const CELLS: Cells = Cells {
        columns: 2,
        rows: 1,
    };

    #[test]
    fn small_picture_is_one_sequence() {
        let picture = RgbImage::from_pixel(1, 1, Rgb([1, 2, 3]));
        assert_eq!(
            encode(&picture, CELLS),
            "\x1b_Ga=T,f=24,q=2,s=1,v=1,c=2,r=1,m=0;AQID\x1b\\\n"
        );
    }

    #[test]
    fn chunks_of_a_large_picture_are_its_pixels() {
        let picture = RgbImage::from_fn(70, 50, |x, y| Rgb([x as u8, y as u8, 7]));
        let text = encode(&picture, CELLS);
        let chunks = text.trim_end().split_inclusive("\x1b\\").map(|sequence| {
            let sequence = sequence.strip_prefix("\x1b_G").unwrap();
            let (keys, data) = sequence.split_once(';').unwrap();
            (keys, data.strip_suffix("\x1b\\").unwrap())
        });
        let (keys, data): (Vec<&str>, Vec<&str>) = chunks.unzip();
        // 10,500 bytes are 14,000 characters.
        assert_eq!(keys[1..], ["m=1", "m=1", "m=0"]);
        assert!(keys[0].ends_with(",m=1"));
        assert!(data.iter().all(|data| data.len() <= CHUNK));
        assert_eq!(&STANDARD.decode(data.concat()).unwrap(), picture.as_raw());
    }
}
