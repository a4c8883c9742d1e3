package main

import (
	"encoding/json"
	"testing"
)

// What a terminal would obey is escaped, and means the same in JSON.
func TestEscaped(t *testing.T) {
	const text = "a\x7f\u009b31m\u202ebc\U000e0001 é\n"
	content, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	got := escaped(string(content))
	if want := `"a\u007f\u009b31m\u202ebc\udb40\udc01 é\n"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var back string
	if err := json.Unmarshal([]byte(got), &back); err != nil || back != text {
		t.Errorf("%q, %v", back, err)
	}
	if got := plain(text); got != "a\uFFFD\uFFFD31m\uFFFDbc\uFFFD é\uFFFD" {
		t.Errorf("plain is %q", got)
	}
}
