package report

import (
	"diaghess/train/record"
	"path/filepath"
	"strings"
	"testing"
)

// renamed is the runs of study, with the arms called by other names.
func renamed(t *testing.T, adamw, sgd string) *Analysis {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, record.TunedFile), `{"dataset":"digits","seeds":[1000000],"epochs":5,"metric":"val_acc","trials":2,"optimizers":[
		{"optimizer":"sgd","best":"`+sgd+`","best_trial":2,"trials":[{"lr":0.001},{"lr":0.01,"score":{"val_acc":0.9}}]}]}`)
	runs := study("0.0625")
	for i := range runs {
		runs[i].optimizer = map[string]string{"adamw": adamw, "sgd": sgd}[runs[i].optimizer]
	}
	return mustCompareFolders(t, writeRuns(t, folder, runs))
}

// A page calls optimizers by their rules where these differ, and has the settings once.
func TestPageNamesRules(t *testing.T) {
	a := renamed(t, "adamw:lr=0.0625", "sgd:lr=0.0625")
	text := page(t, a)
	expectParts(t, text, "<h1>sgd against adamw on digits</h1>", "sgd: its learning rate is the largest", "<td data-label=\"Settings\">lr 0.0625</td>", "digits, sgd: diverged, seed 2.")
	if strings.Contains(text, ":lr=") {
		t.Error("the page has a full name beside the rules")
	}
	if a.Optimizers[1] != "sgd:lr=0.0625" || a.Rows[0].Optimizer != "adamw:lr=0.0625" || a.Records.Tuning.Optimizers[0].Best != "sgd:lr=0.0625" {
		t.Error("the analysis itself was changed")
	}
}

// Two optimizers of one rule keep their settings.
func TestPageKeepsSettings(t *testing.T) {
	expectParts(t, page(t, renamed(t, "sgd:lr=0.5", "sgd:lr=0.0625")), "<h1>sgd:lr=0.0625 against sgd:lr=0.5 on digits</h1>")
}
