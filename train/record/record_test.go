package record

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// writeStudy writes two runs of a study, of which the second comes first in study.json.
func writeStudy(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var jobs []Job
	for i, optimizer := range []string{"adamw", "sgd:lr=0.1,momentum=0"} {
		job := Job{Settings: Settings{Model: "mlp", Epochs: 1, Protocol: ProtocolPilot, Augment: AugmentNone}, Dataset: "digits", Optimizer: optimizer, Seed: 3}
		jobs = append([]Job{job}, jobs...)
		run := RunOf(folder, job)
		accuracy := float64(i) / 2
		for _, err := range []error{
			run.Claim(Config{Job: job, Steps: 7, OptimizerSettings: map[string]string{"lr": "0.10"}}),
			run.WriteEpochs([]Epoch{{Epoch: 1, ValAcc: accuracy}}),
			run.Finish(Final{Dataset: job.Dataset, Optimizer: job.Optimizer, Seed: job.Seed, Status: Finished, Epochs: 1, ValAcc: accuracy}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := WriteStudy(folder, jobs); err != nil {
		t.Fatal(err)
	}
	return folder
}

func mustRead(t *testing.T, path string) []Content {
	t.Helper()
	studies, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return studies
}

func TestRead(t *testing.T) {
	folder := writeStudy(t)
	studies := mustRead(t, folder)
	if len(studies) != 1 || studies[0].Folder != folder || len(studies[0].Runs) != 2 || len(studies[0].Jobs) != 2 {
		t.Fatalf("%+v", studies)
	}
	first := studies[0].Runs[0]
	if first.Final.Optimizer != "sgd:lr=0.1,momentum=0" || first.Final.Schema != Schema {
		t.Errorf("the first run is %+v", first.Final)
	}
	if want := filepath.Join(folder, "digits", "sgd_lr=0.1_momentum=0", "seed-03", "final.json"); first.Source != want {
		t.Errorf("its file is %s, want %s", first.Source, want)
	}
	if first.Settings["optimizer_settings.lr"] != "0.10" || first.Settings["steps"] != "7" {
		t.Errorf("settings %v", first.Settings)
	}

	// A part of a study and a folder above it give the same study.
	if part := mustRead(t, filepath.Join(folder, "digits")); !reflect.DeepEqual(part, studies) {
		t.Errorf("a part: %+v, want %+v", part, studies)
	}
	one := mustRead(t, filepath.Dir(first.Source))
	if len(one) != 1 || one[0].Folder != folder || len(one[0].Runs) != 1 || !reflect.DeepEqual(one[0].Runs[0], first) {
		t.Errorf("a run: %+v", one)
	}
	if above := mustRead(t, filepath.Dir(folder)); len(above) != 1 || !reflect.DeepEqual(above[0].Runs, studies[0].Runs) {
		t.Errorf("above: %+v", above)
	}
	t.Chdir(filepath.Dir(first.Source))
	if here := mustRead(t, "."); len(here) != 1 || here[0].Folder != filepath.Join("..", "..", "..") || len(here[0].Jobs) != 2 {
		t.Errorf("from within: %+v", here)
	}
}

// An archive of a study is read as its folder is.
func TestReadArchive(t *testing.T) {
	folder := writeStudy(t)
	path := filepath.Join(t.TempDir(), "study.zip")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	if err := errors.Join(archive.AddFS(os.DirFS(folder)), archive.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	want, got := mustRead(t, folder), mustRead(t, path)
	for i := range want[0].Runs {
		want[0].Runs[i].Source = strings.Replace(want[0].Runs[i].Source, folder, path, 1)
	}
	want[0].Folder = path
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := Read(filepath.Join(folder, StudyFile)); err == nil || !strings.Contains(err.Error(), "neither a folder nor a zip archive") {
		t.Errorf("another file: %v", err)
	}
}

// Records of version 0.1 have no schema and leave out what had one value only.
func TestOldConfig(t *testing.T) {
	run := Run{t.TempDir()}
	old := `{"model":"mlp","epochs":3,"protocol":"seed","dataset":"digits","optimizer":"adamw","seed":0,"optimizer_settings":{"lr":"0.001"},"device":"cpu"}`
	if err := os.WriteFile(filepath.Join(run.Folder, "config.json"), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	config, there, err := run.Config()
	if err != nil || !there || config.Augment != AugmentNone || config.Math != "fp32" || config.Protocol != ProtocolPilot {
		t.Fatalf("%+v, %v, %v", config, there, err)
	}
	if err := run.Claim(config); err != nil {
		t.Errorf("the run cannot go on: %v", err)
	}
	config.LabelSmoothing = 0.1
	if err := run.Chosen(config); err == nil || !strings.Contains(err.Error(), "label smoothing was 0 and is 0.1") {
		t.Errorf("other settings: %v", err)
	}
}

// What a newer program wrote is not guessed at.
func TestNewerSchema(t *testing.T) {
	folder := writeStudy(t)
	final := mustRead(t, folder)[0].Runs[0].Source
	for _, path := range []string{final, filepath.Join(filepath.Dir(final), "config.json"), filepath.Join(folder, StudyFile)} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		newer := strings.Replace(string(content), `"schema": 1`, `"schema": 2`, 1)
		if err := os.WriteFile(path, []byte(newer), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), path+" has schema 2 and this program knows 1") {
			t.Errorf("%s: %v", path, err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	run := Run{t.TempDir()}
	read := func() (p Position, tensors string, there bool, err error) {
		p, there, err = run.ReadCheckpoint(func(r io.Reader) error {
			var content [7]byte
			_, err := io.ReadFull(r, content[:])
			tensors = string(content[:])
			return err
		})
		return p, tensors, there, err
	}
	if _, _, there, err := read(); there || err != nil {
		t.Errorf("without a checkpoint: %v, %v", there, err)
	}
	want := Position{Epoch: 1, Batch: 2, Step: 9, Seconds: 0.5, Epochs: []Epoch{{Epoch: 1, ValAcc: 0.25}}}
	err := run.WriteCheckpoint(want, func(w io.Writer) error {
		_, err := io.WriteString(w, "tensors")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, tensors, there, err := read(); err != nil || !there || tensors != "tensors" || !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, %q, %v, %v", p, tensors, there, err)
	}

	path := filepath.Join(run.Folder, "checkpoint")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		damaged := append([]byte(nil), content...)
		damaged[i] ^= 1
		for _, c := range [][]byte{damaged, content[:i]} {
			if err := os.WriteFile(path, c, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, there, err := read(); there || err == nil || !strings.Contains(err.Error(), "is damaged") {
				t.Fatalf("byte %d: %v, %v", i, there, err)
			}
		}
	}
}
