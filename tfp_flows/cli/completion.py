"""`tfp-flows completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import argparse
from typing import Any

from tfp_flows.cli import catalog, plot
from tfp_flows.cli.output import Report

__all__ = ["add_parser", "run"]

_BASH = """\
_tfp_flows() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  local words=""
  case $before in
    --flow|--options) words="{flows}" ;;
    plot) words="{pictures} --help" ;;
    tfp-flows) words="{commands} --help --version" ;;
  esac
  if [ -z "$words" ] && [[ $word == -* ]]; then
    case ${{COMP_WORDS[1]}} in
{options}
    esac
  fi
  [ "${{COMP_WORDS[1]}} $before" = "completion completion" ] && words="bash zsh"
  COMPREPLY=()
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  fi
}}
complete -o default -F _tfp_flows tfp-flows
"""
_ZSH = (
    "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "completion",
        help="print what makes bash or zsh complete commands",
        description="Print a script that completes commands, options and names of "
        'flows. In ~/.bashrc: eval "$(tfp-flows completion bash)"; in ~/.zshrc: the '
        "same with zsh.",
    )
    parser.add_argument("shell", choices=("bash", "zsh"))
    parser.set_defaults(run=run, commands=commands.choices)


def run(arguments: argparse.Namespace) -> None:
    """Print the script."""
    cases = []
    for name, parser in arguments.commands.items():
        words = " ".join(parser.every_option())
        cases.append(f'      {name}) words="{words}" ;;')
    script = _BASH.format(
        flows=" ".join((*catalog.TABLES, *catalog.IMAGES, *catalog.MANIFOLDS)),
        pictures=" ".join(plot.KINDS),
        commands=" ".join(arguments.commands),
        options="\n".join(cases),
    )
    script = (_ZSH if arguments.shell == "zsh" else "") + script
    report = Report(arguments)
    report.line(script.rstrip("\n"), shell=arguments.shell, script=script)
    report.end()
