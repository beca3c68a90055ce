#!/bin/sh
# Runs a CUDA compiler's command line; what ptxas says of registers, shared memory and spills goes to DIRECTORY/<file>.txt,
# everything else where it belongs. Usage: ptxas_report.sh DIRECTORY COMMAND...
directory=$1
shift
for argument; do
  case $argument in *.cu) name=$(basename "$argument" .cu) ;; esac
done
mkdir -p "$directory"
"$@" 2> "$directory/$name.log"
status=$?
grep -E 'ptxas info|bytes stack frame' "$directory/$name.log" > "$directory/$name.txt"
grep -v -E 'ptxas info|bytes stack frame|^$' "$directory/$name.log" >&2
rm -f "$directory/$name.log"
exit $status
