//! What a shell wants to know of a command line: completions and man pages.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use output::message;

/// Print a script that lets a shell complete this program's commands
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Write man pages of this program into a folder
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Completions {
    /// Prints the script for the command line `C`.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written.
    pub fn run<C: CommandFactory>(&self) -> anyhow::Result<()> {
        let mut command = C::command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        output::write(String::from_utf8_lossy(&script))
    }
}

impl Man {
    /// Writes a page for the command line `C` and one for each of its commands.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn run<C: CommandFactory>(&self) -> Result<(), artifact::Error> {
        let mut command = C::command().disable_help_subcommand(true);
        command.build();
        let written = write_pages(&command, &self.folder)?;
        message!("wrote {written} pages into {}", self.folder.display());
        Ok(())
    }
}

/// Writes the page of `command` and those below it; returns how many.
fn write_pages(command: &Command, folder: &Path) -> Result<usize, artifact::Error> {
    let page = clap_mangen::Man::new(command.clone());
    let path = folder.join(page.get_filename());
    artifact::write(&path, |mut file| page.render(&mut file))?;
    command.get_subcommands().try_fold(
        1,
        |written, below| Ok(written + write_pages(below, folder)?),
    )
}
