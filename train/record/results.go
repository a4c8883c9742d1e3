package record

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// ResultsDigest returns the digest of a study's plan and of the results of its runs, without
// times and machines: the same study has the same one, in one process or in shards.
func ResultsDigest(study fs.FS, root string) (string, error) {
	t := &tree{fs: study, root: root}
	files, err := readPlanFiles(study)
	if err != nil {
		return "", err
	}
	runs, _, err := Runs(t.fs, t.root)
	results := map[string]string{}
	for _, run := range runs {
		record, _, err := t.record(run)
		if err != nil {
			return "", err
		}
		results[run] = record.Result
	}
	return resultsDigest(files, results), err
}

func resultsDigest(files map[string][]byte, results map[string]string) string {
	var list strings.Builder
	list.WriteString(planDigest(files) + "\n")
	for _, run := range slices.Sorted(maps.Keys(results)) {
		fmt.Fprintf(&list, "%s  %s\n", results[run], run)
	}
	return Digest([]byte(list.String()))
}
