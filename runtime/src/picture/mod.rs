//! Pictures in the terminal, by what it can show: Kitty's graphics, iTerm's
//! inline images, Sixel, or two pixels in each character.

mod blocks;
mod cell;
mod iterm;
mod kitty;
mod palette;
mod protocol;
mod sixel;

use std::io::{self, Write};

use image::{DynamicImage, RgbImage};

use cell::Cell;
pub use protocol::{Protocol, VARIABLE, protocol};

/// A place in the terminal, in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cells {
    columns: u32,
    rows: u32,
}

/// Shows `picture` where the cursor is, at most `columns` wide and smaller than
/// the terminal, and ends the line; small pictures keep a cell for each column
/// of pixels. Returns whether it was shown: see [`protocol`].
///
/// # Errors
///
/// When stdout cannot be written.
pub fn show(picture: &DynamicImage, columns: u32) -> io::Result<bool> {
    let Some(protocol) = protocol() else {
        return Ok(false);
    };
    let size = (picture.width(), picture.height());
    let cell = match protocol {
        Protocol::Blocks => Cell::BLOCKS,
        Protocol::Kitty | Protocol::Iterm | Protocol::Sixel => {
            Cell::of_terminal().unwrap_or(Cell::SMALL)
        }
    };
    let cells = cells(size, columns, console::Term::stdout().size(), cell);
    let text = encode(&picture.to_rgb8(), cells, cell, protocol)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(true)
}

/// What a terminal shows as `picture` in these cells, and a new line.
fn encode(picture: &RgbImage, cells: Cells, cell: Cell, protocol: Protocol) -> io::Result<String> {
    Ok(match protocol {
        Protocol::Kitty => kitty::encode(picture, cells),
        Protocol::Iterm => iterm::encode(picture, cells)?,
        Protocol::Sixel => sixel::encode(picture, cells, cell),
        Protocol::Blocks => blocks::encode(picture, cells, blocks::Colours::of_terminal()),
    })
}

/// The cells that a picture of `pixels` (width, height) takes in a terminal of
/// that many rows and columns: as many columns as there are pixels or fit, and
/// rows in proportion. A column is left for the cursor, and a row for the prompt.
fn cells(pixels: (u32, u32), columns: u32, (bottom, right): (u16, u16), cell: Cell) -> Cells {
    let (width, height) = (f64::from(pixels.0.max(1)), f64::from(pixels.1.max(1)));
    let inside = |cells: u16| cells.saturating_sub(1).max(1);
    let rows = f64::from(inside(bottom));
    let columns = f64::from(columns.clamp(1, u32::from(inside(right))));
    let slenderness = f64::from(cell.height) / f64::from(cell.width);
    let scale = (columns / width).min(slenderness * rows / height).min(1.0);
    let fit = |size: f64| (size * scale).round().max(1.0) as u32;
    Cells {
        columns: fit(width),
        rows: fit(height / slenderness),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_fit_the_terminal_and_keep_their_proportions() {
        let taken = |pixels, columns, terminal| {
            let Cells { columns, rows } = cells(pixels, columns, terminal, Cell::BLOCKS);
            (columns, rows)
        };
        assert_eq!(taken((28, 28), 80, (24, 80)), (28, 14));
        assert_eq!(taken((28, 28), 14, (24, 80)), (14, 7));
        assert_eq!(taken((400, 200), 80, (24, 80)), (79, 20));
        assert_eq!(taken((200, 400), 80, (24, 80)), (23, 23));
        assert_eq!(taken((1, 1000), 80, (24, 80)), (1, 23));
        assert_eq!(taken((5, 5), 80, (0, 0)), (1, 1));
    }

    #[test]
    fn rows_are_fewer_where_they_are_higher() {
        let slender = Cell {
            width: 8,
            height: 20,
        };
        let taken = cells((50, 50), 80, (40, 80), slender);
        assert_eq!((taken.columns, taken.rows), (50, 20));
    }
}
