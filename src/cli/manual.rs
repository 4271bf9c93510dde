//! `drapto completions` and `drapto man`: made from the one declaration of commands and flags.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use drapto::{Error, ErrorKind, Result};

use super::args::Cli;
use super::text::print;

/// What `shell` reads to complete commands and flags.
pub fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "drapto", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// The manual page to standard output, or one for each command into `folder`.
pub fn man(folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let rendered = Man::new(Cli::command()).render(&mut page);
        rendered.map_err(|e| Error::new(ErrorKind::Output, "cannot make the manual page").caused_by(e))?;
        return print(&String::from_utf8_lossy(&page));
    };
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|e| Error::new(ErrorKind::Output, "cannot write the manual pages").caused_by(e).with_file(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_its_flags() {
        let folder = tempfile::tempdir().unwrap();
        man(Some(folder.path())).unwrap();
        for command in Cli::command().get_subcommands() {
            let name = format!("drapto-{}.1", command.get_name());
            let page = std::fs::read_to_string(folder.path().join(&name)).unwrap();
            assert!(page.contains(".TH") && page.contains("NAME"), "{name}");
            // A hyphen of a flag is an escaped one in a page.
            for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(page.contains(&flag.replace('-', "\\-")), "{name} lacks --{flag}");
            }
        }
        assert!(std::fs::read_to_string(folder.path().join("drapto.1")).unwrap().contains("Exit codes"));
        assert_eq!(man(Some(&folder.path().join("none"))).unwrap_err().kind(), ErrorKind::Output);
    }

    #[test]
    fn completions_name_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "drapto", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("target-vmaf"), "{shell}");
        }
    }
}
