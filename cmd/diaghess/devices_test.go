package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

// devices lists what there is; a device that was asked for and is not there is an error.
func TestDevices(t *testing.T) {
	reports := func(arguments ...string) ([]deviceReport, error) {
		var out bytes.Buffer
		app := newApp()
		app.Writer = &out
		err := app.RunContext(t.Context(), append([]string{"diaghess", "devices", "--json", "--list"}, arguments...))
		var all []deviceReport
		if err := json.Unmarshal(out.Bytes(), &all); err != nil {
			t.Fatalf("%v in %q", err, out.String())
		}
		return all, err
	}
	all, err := reports()
	if err != nil || len(all) < 3 || all[0].Name != "cpu" || all[0].Description == "" || all[0].Missing != "" || all[1].Name != "emu" {
		t.Errorf("devices %+v, error %v; want cpu, emu and a GPU or why there is none", all, err)
	}
	if last := all[len(all)-1]; (last.Name == "cuda") != (last.Missing != "") {
		t.Errorf("the last device is %+v, want a card or why there is none", last)
	}
	all, err = reports("--device", "cpu,cuda:999")
	if !errors.Is(err, errMissing) || len(all) != 2 || all[0].Missing != "" || all[1].Missing == "" {
		t.Errorf("devices %+v, error %v; want the second missing", all, err)
	}
}
