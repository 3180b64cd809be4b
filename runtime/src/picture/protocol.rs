//! How a terminal shows pictures, by its environment. Terminals can be asked,
//! but one that does not answer (a recorder, a log viewer) would be waited for
//! without end.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};

/// The variable that names the protocol, where the environment misleads:
/// `kitty`, `iterm`, `sixel`, `blocks` or `none`.
pub const VARIABLE: &str = "BURNISH_PICTURES";

/// How a terminal shows pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Kitty's graphics protocol.
    Kitty,
    /// iTerm's inline images.
    Iterm,
    /// DEC's Sixel.
    Sixel,
    /// Two coloured pixels in each character cell.
    Blocks,
}

/// How stdout shows pictures; none where it is no terminal, shows no colours or
/// shall show none (`NO_COLOR`).
pub fn protocol() -> Option<Protocol> {
    if !io::stdout().is_terminal() {
        return None;
    }
    detect(|name| env::var_os(name).filter(|value| !value.is_empty()))
}

/// The protocol by the environment of a terminal.
fn detect(variable: impl Fn(&str) -> Option<OsString>) -> Option<Protocol> {
    let text = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
    match text(VARIABLE).as_deref() {
        Some("kitty") => return Some(Protocol::Kitty),
        Some("iterm") => return Some(Protocol::Iterm),
        Some("sixel") => return Some(Protocol::Sixel),
        Some("blocks") => return Some(Protocol::Blocks),
        Some("none") => return None,
        // Another name tells nothing.
        Some(_) | None => {}
    }
    let terminal = text("TERM").unwrap_or_default();
    let program = text("TERM_PROGRAM").unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|name| terminal.contains(name));
    if variable("NO_COLOR").is_some() || terminal.is_empty() || terminal == "dumb" {
        return None;
    }
    // A multiplexer inherits the variables of the terminal outside, and does
    // not pass its pictures on.
    if variable("TMUX").is_some() || is(&["screen", "tmux"]) {
        return Some(Protocol::Blocks);
    }
    if is(&["kitty", "ghostty"]) || program == "ghostty" {
        return Some(Protocol::Kitty);
    }
    if ["iTerm.app", "WezTerm", "mintty", "rio"].contains(&program.as_str()) {
        return Some(Protocol::Iterm);
    }
    if is(&["sixel", "foot", "mlterm", "contour", "yaft"]) {
        return Some(Protocol::Sixel);
    }
    Some(by_marks(text))
}

/// The protocol by the variables that terminals leave for what they start, whose
/// `TERM` is another's. What starts another terminal hands them on: where there
/// are several, which is the inner one is not known.
fn by_marks(text: impl Fn(&str) -> Option<String>) -> Protocol {
    let kitty = text("KITTY_WINDOW_ID").map(|_| Protocol::Kitty);
    // Konsole shows pictures since 22.04.
    let konsole = text("KONSOLE_VERSION").map(|version| match version.parse() {
        Ok(220_400_u32..) => Protocol::Kitty,
        _ => Protocol::Blocks,
    });
    // Handed on by SSH.
    let iterm = text("LC_TERMINAL").and_then(|name| (name == "iTerm2").then_some(Protocol::Iterm));
    let others = [
        "ALACRITTY_WINDOW_ID",
        "TERM_PROGRAM",
        "VTE_VERSION",
        "XTERM_VERSION",
    ];
    let others = others.map(|name| text(name).map(|_| Protocol::Blocks));
    let mut found = [kitty, konsole, iterm].into_iter().chain(others).flatten();
    match (found.next(), found.next()) {
        (Some(protocol), None) => protocol,
        _ => Protocol::Blocks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Protocol> {
        detect(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn terminals_are_known_by_their_environment() {
        use Protocol::{Blocks, Iterm, Kitty, Sixel};
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Kitty));
        assert_eq!(of(&[("TERM", "xterm-ghostty")]), Some(Kitty));
        assert_eq!(of(&[("TERM", "foot")]), Some(Sixel));
        let iterm = [("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")];
        assert_eq!(of(&iterm), Some(Iterm));
        assert_eq!(of(&[("TERM", "xterm-256color")]), Some(Blocks));
        assert_eq!(of(&[("TERM", "linux")]), Some(Blocks));
    }

    #[test]
    fn terminals_with_the_name_of_another_are_known_by_their_own_variables() {
        let of =
            |variables: &[(&str, &str)]| of(&[variables, &[("TERM", "xterm-256color")]].concat());
        let konsole = ("KONSOLE_VERSION", "221203");
        assert_eq!(of(&[konsole]), Some(Protocol::Kitty));
        assert_eq!(of(&[("KONSOLE_VERSION", "211203")]), Some(Protocol::Blocks));
        assert_eq!(of(&[("KITTY_WINDOW_ID", "1")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("LC_TERMINAL", "iTerm2")]), Some(Protocol::Iterm));
        // An xterm and an editor that were started in Konsole.
        for mark in [("XTERM_VERSION", "XTerm(379)"), ("TERM_PROGRAM", "vscode")] {
            assert_eq!(of(&[konsole, mark]), Some(Protocol::Blocks));
        }
    }

    #[test]
    fn multiplexers_get_blocks_whatever_is_outside() {
        let inside = [
            ("TERM", "tmux-256color"),
            ("TMUX", "/tmp/tmux-0/default,1,0"),
            ("TERM_PROGRAM", "WezTerm"),
        ];
        assert_eq!(of(&inside), Some(Protocol::Blocks));
    }

    #[test]
    fn terminals_without_colours_get_no_picture() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("TERM", "dumb")]), None);
        assert_eq!(of(&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")]), None);
    }

    #[test]
    fn user_has_the_last_word() {
        let named = |name| of(&[("TERM", "dumb"), (VARIABLE, name)]);
        assert_eq!(named("sixel"), Some(Protocol::Sixel));
        assert_eq!(named("blocks"), Some(Protocol::Blocks));
        assert_eq!(named("none"), None);
        let mistyped = of(&[("TERM", "xterm-kitty"), (VARIABLE, "kity")]);
        assert_eq!(mistyped, Some(Protocol::Kitty));
    }
}
