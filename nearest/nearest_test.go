package nearest

import "testing"

// The nearest name is proposed, and none where all are far.
func TestUnknown(t *testing.T) {
	known := []string{"adamw", "sgd", "cifar10", "cifar100"}
	for name, want := range map[string]string{
		"adamv":    ": did you mean adamw?",
		"AdamW":    ": did you mean adamw?",
		"admaw":    ": did you mean adamw?",
		"sdg":      ": did you mean sgd?",
		"cifar":    ": did you mean cifar10?",
		"cifar-10": ": did you mean cifar10?",
		"x":        "",
		"":         "",
		"nothing":  "",
	} {
		want = `unknown thing "` + name + `"` + want + ` (known: adamw, sgd, cifar10, cifar100)`
		if got := Unknown("thing", name, known).Error(); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
