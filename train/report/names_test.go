package report

import (
	"regexp"
	"strings"
	"testing"
)

// renamed is the runs of study, with the arms called by other names.
func renamed(t *testing.T, adamw, sgd string) *Analysis {
	t.Helper()
	folder := t.TempDir()
	writeTuned(t, folder, `{"dataset":"digits","seeds":[1000000],"epochs":5,"metric":"val_acc","trials":3,"optimizers":[
		{"optimizer":"sgd","best":"`+sgd+`","best_trial":2,"trials":[{"lr":0.001},{"lr":0.01,"score":{"val_acc":0.9}},{"lr":0.002}]}]}`)
	runs := study("0.0625")
	for i := range runs {
		runs[i].optimizer = map[string]string{"adamw": adamw, "sgd": sgd}[runs[i].optimizer]
	}
	return mustCompareFolders(t, writeRuns(t, folder, runs))
}

// A page calls optimizers by the shortest words that tell them apart, and has the full names once.
func TestPageUsesShortNames(t *testing.T) {
	a := renamed(t, "adamw:lr=0.0625", "sgd:lr=0.0625")
	text := page(t, a)
	expectParts(t, text, "<title>sgd against adamw on digits</title>", "sgd:lr=0.0625: its learning rate is the largest", `<td data-l="All settings">lr 0.0625</td>`, "<b>sgd</b><small>lr=0.0625</small>")
	if n := strings.Count(text, "adamw:lr=0.0625"); n != 1 {
		t.Errorf("the full name is there %d times, want once: %q", n, regexp.MustCompile(`.{60}adamw:lr=0.0625`).FindAllString(text, -1))
	}
}

func TestShortNames(t *testing.T) {
	for _, c := range [][2]string{
		{"adamw:lr=1 sgd", "adamw sgd"},
		{"sgd:lr=0.5 sgd:lr=0.25", "lr=0.5 lr=0.25"},
		{"diaghess:lr=1 diaghess:lr=1,curvature=gnb,every=10 diaghess:lr=1,curvature=hesscale,every=10", "diaghess gnb hesscale"},
		{"diaghess:lr=1 diaghess:lr=1,nesterov=true adamw", "diaghess nesterov=true adamw"},
		{"sgd sgd:lr=0.5,a=x sgd:lr=0.25,a=x sgd:lr=0.5,a=y", "sgd sgd:lr=0.5,a=x sgd:lr=0.25,a=x sgd:lr=0.5,a=y"},
		{"diaghess:lr=1 diaghess:lr=2,curvature=hutchinson", "lr=1 hutchinson"},
		{"a:b=c a:d=c", "a:b=c a:d=c"},
		{"adamw my@1a2b3c4d:lr=1", "adamw my"},
		{"my@1a2b3c4d:lr=1 my@5e6f7a8b:lr=1 lion", "my@1a2b3c4d my@5e6f7a8b lion"},
		{"my@1a2b3c4d:lr=1 my@1a2b3c4d:lr=2 adamw", "lr=1 lr=2 adamw"},
		{"lion lion@1a2b3c4d", "lion lion@1a2b3c4d"},
	} {
		if got := strings.Join(shortNames(strings.Fields(c[0])), " "); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
}
