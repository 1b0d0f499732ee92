# Read by the demos: `run COMMAND ...` says a command as a person would type it, then runs it.
run() {
  printf '\n$'
  for word; do
    case $word in *" "*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
  done
  printf '\n'
  "$@"
}
