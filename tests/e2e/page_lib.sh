# What the tests share that do what a page of docs/operate.md says, word for word. Sourced behind lib.sh.

# page HEADING: its commands, one a line
page() {
    awk -v heading="## $1" '$0 == heading {on = 1; print ""; next} /^## / {on = 0} on' "$SOURCE/docs/operate.md" >"$work/page.md"
    python3 "$SOURCE/tests/docs/commands.py" "$work/page.md" | cut -f2
}
# For a page whose commands a test gives one by one, with what it does itself in between:
#
#     begin HEADING FILTER           FILTER puts this test's names in the place of the document's
#     step BEGINNING                 the next command, which begins so, and what it writes is in $said
#     refused BEGINNING STATUS TEXT  the same, which ends with this status, and says so
#     finished                       there was none but these
begin() { mapfile -t page_commands < <(page "$1" | "$2"); }
next_begins() {
    [ ${#page_commands[@]} -gt 0 ] || fail "the page ends before: $1"
    command=${page_commands[0]}
    page_commands=("${page_commands[@]:1}")
    case $command in "$1"*) echo "$ $command" ;; *) fail "the page has '$command', and not: $1" ;; esac
}
step() {
    next_begins "$1"
    eval "$command" </dev/null >"$work/said" 2>"$work/errors" || fail "$command: $(cat "$work/said" "$work/errors")"
    said=$(cat "$work/said")
}
refused() {
    local result=0
    next_begins "$1"
    eval "$command" </dev/null >"$work/said" 2>&1 || result=$?
    equal "$result" "$2" "$command: $(cat "$work/said")"
    contains "$(cat "$work/said")" "$3"
}
finished() { [ ${#page_commands[@]} = 0 ] || fail "the page goes on: ${page_commands[0]}"; }
