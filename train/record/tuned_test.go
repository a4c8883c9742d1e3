package record

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseTunedRefuses(t *testing.T) {
	if _, err := ReadTuned(filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a file that is not there: %v", err)
	}
	for content, want := range map[string]string{
		"{":            "damaged",
		"{}":           "not the result of a tuning",
		`{"schema":2}`: "schema 2 and this program knows 1",
		`{"seeds":[1000000],"trials":2,"optimizers":[{"optimizer":"adam","best":"adam"}]}`:               "not equal",
		`{"seeds":[1000000],"trials":1,"optimizers":[{"optimizer":"adam","best":"adam","trials":[{}]}]}`: "number 0",
	} {
		if _, err := ParseTuned("tuned.json", []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", content, want, err)
		}
	}
}
