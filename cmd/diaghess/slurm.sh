#!/bin/bash
# Submits an array of {{.Of}} shards to Slurm, and a job that merges them. bash runs it.
set -euo pipefail
array=$(sbatch --parsable {{.Name}} --array=0-{{.Last}} --requeue --open-mode=append --signal=B:USR1@60{{range .Options}} {{.}}{{end}} <<'END_OF_SHARD'
#!/bin/bash
# A task is a shard, and goes on from its checkpoints when it is queued again. A cancelled or
# preempted task gets SIGTERM, all of its processes. A minute before its time is up, the shell
# gets SIGUSR1.
again= up=
trap 'again=yes' TERM
trap 'again=yes up=yes; kill -TERM "$program"' USR1
{{.Program}} --shard="$SLURM_ARRAY_TASK_ID/{{.Of}}" &
program=$!
while
    again=
    status=0
    wait "$program" || status=$?
    [ -n "$again" ]
do :; done
# bash loses the status of what ends while it is told of a signal.
[ "$status" != -1 ] || status=130
# Where its time was up it has ended in order, with 130. What else is above 128 is a kill.
if [ "$status" -ge 128 ] && { [ -n "$up" ] || [ "$status" != 130 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 3 ]; }; then
    exec scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$status"
END_OF_SHARD
)
merge=$(sbatch --parsable {{.Name}}-merge --dependency=afterok:"${array%%;*}" --kill-on-invalid-dep=yes{{range .MergeOptions}} {{.}}{{end}} <<'END_OF_MERGE'
#!/bin/bash
set -e
{{range .Merge}}{{.}}
{{end}}END_OF_MERGE
)
echo "submitted the array ${array%%;*} of {{.Of}} shards, and the job ${merge%%;*}, which merges them"
