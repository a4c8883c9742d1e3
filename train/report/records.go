package report

import (
	"diaghess/train/record"
	"fmt"
	"slices"
	"strings"
)

// Records is what lies in result folders beside the rows: how the runs went, with
// which settings, and which runs were planned. CSV files have nothing of it.
type Records struct {
	Runs    []Record      // one for each row of a result folder
	Folders []string      // the studies, sorted
	Missing []Missing     // in the order of the study's last command
	Plan    *record.Plan  // written before the first run; nil for none, or where there are several folders
	Planned *record.Event // the ledger's event of the plan that the first run was made under; nil likewise
	Tuning  *record.Tuned // that the optimizers come from; nil likewise
	// TunedDigest is that of its file.
	TunedDigest string
	// Ledger is what does not fit the studies' ledgers, and Remarks what those tell of the past.
	Ledger  record.Problems
	Remarks []string
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

// Missing is a run of the study's last command that has no end.
type Missing struct {
	Dataset   string `json:"dataset"`
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed"`
	State     string `json:"state"` // in words: how far it is
}

// state says how far a run is that has not ended.
func state(p record.Pending) string {
	if !p.Begun {
		return "not begun"
	}
	return fmt.Sprintf("begun, not ended (epoch %d of %d)", p.Done, p.Epochs)
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
		r.Ledger, r.Remarks = append(r.Ledger, study.Ledger...), append(r.Remarks, study.Remarks...)
		for _, p := range study.Pending {
			if !ended[runKey{p.Dataset, p.Seed, p.Name()}] { // in another study
				r.Missing = append(r.Missing, Missing{p.Dataset, p.Name(), p.Seed, state(p)})
			}
		}
	}
	if len(studies) == 1 {
		only := studies[0]
		r.Plan, r.Planned, r.Tuning, r.TunedDigest = only.Plan, only.Planned, only.Tuned, only.TunedDigest
	}
	return r
}
