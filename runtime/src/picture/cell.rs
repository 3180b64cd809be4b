//! How large a terminal's characters are.

/// Width and height of a character cell in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Cell {
    /// One above the other.
    pub(super) const BLOCKS: Self = Self {
        width: 1,
        height: 2,
    };

    /// As small as terminals have them, so that what is as many pixels large fits
    /// whatever the size.
    pub(super) const SMALL: Self = Self {
        width: 6,
        height: 12,
    };

    /// That of the terminal on stdout, where it tells.
    pub(super) fn of_terminal() -> Option<Self> {
        let [cells, pixels] = window()?;
        Self::of_window(cells, pixels)
    }

    /// Out of the (width, height) of a window in cells and in pixels. None where
    /// these are not the pixels of letters: some terminals leave them 0, others
    /// fill in what they like.
    fn of_window(cells: (u16, u16), pixels: (u16, u16)) -> Option<Self> {
        let width = u32::from(pixels.0.checked_div(cells.0)?);
        let height = u32::from(pixels.1.checked_div(cells.1)?);
        let is_letter = width >= 3 && (width..=4 * width).contains(&height);
        is_letter.then_some(Self { width, height })
    }
}

/// The (width, height) of the window in cells and in pixels.
#[cfg(unix)]
fn window() -> Option<[(u16, u16); 2]> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some([(size.ws_col, size.ws_row), (size.ws_xpixel, size.ws_ypixel)])
}

/// Not told elsewhere.
#[cfg(not(unix))]
fn window() -> Option<[(u16, u16); 2]> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_is_that_of_the_window_if_it_is_one_of_a_letter() {
        let cell = |pixels| Cell::of_window((80, 24), pixels).map(|c| (c.width, c.height));
        assert_eq!(cell((720, 432)), Some((9, 18)));
        // With a frame.
        assert_eq!(cell((725, 440)), Some((9, 18)));
        assert_eq!(cell((0, 0)), None);
        assert_eq!(cell((80, 24)), None);
        assert_eq!(cell((720, 24)), None);
        assert_eq!(Cell::of_window((0, 0), (720, 432)), None);
    }
}
