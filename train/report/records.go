package report

import (
	"diaghess/train/record"
	"slices"
	"strings"
)

// Records is what lies in result folders beside the rows: how the runs went, with
// which settings, and which runs were planned. CSV files have nothing of it.
type Records struct {
	Runs    []Record      // one for each row of a result folder
	Folders []string      // the studies, sorted
	Missing []Missing     // runs of the study's last command that have no end, in its order
	Plan    *record.Plan  // written before the first run; nil for none, or where there are several folders
	Tuning  *record.Tuned // that the optimizers come from; nil likewise
}

// Record is what a result folder holds of one run.
type Record struct {
	Row    Row
	Epochs []record.Epoch // in order; empty where there is no epochs.jsonl
	// Settings is config.json with its nested keys joined by dots, such as
	// "optimizer_settings.lr"; empty where there is no such file. All of them are
	// shown, so that whatever a record names is in the report. Three have a meaning
	// here: "steps", the number of steps of a whole run; "protocol"; and "tuning_trials",
	// the number of runs that the optimizer's settings were chosen from. A record has the
	// last one only if the specification of the optimizer says so.
	Settings map[string]string
}

// Missing is a run that was planned and has no end.
type Missing struct {
	Dataset   string `json:"dataset"`
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed"`
}

// records collects what the records of the rows hold beside them.
func records(rows []Row) Records {
	var r Records
	var studies []*record.Content
	ended := make(map[runKey]bool)
	for _, row := range rows {
		ended[keyOf(row)] = true
		if row.run == nil {
			continue
		}
		r.Runs = append(r.Runs, Record{Row: row, Epochs: row.run.Epochs, Settings: row.run.Settings})
		if !slices.Contains(studies, row.study) {
			studies = append(studies, row.study)
		}
	}
	slices.SortFunc(studies, func(a, b *record.Content) int { return strings.Compare(a.Folder, b.Folder) })
	for _, study := range studies {
		r.Folders = append(r.Folders, study.Folder)
		for _, job := range study.Jobs {
			if !ended[runKey{job.Dataset, job.Seed, job.Optimizer}] {
				r.Missing = append(r.Missing, Missing{job.Dataset, job.Optimizer, job.Seed})
			}
		}
	}
	if len(studies) == 1 {
		r.Plan, r.Tuning = studies[0].Plan, studies[0].Tuned
	}
	return r
}
