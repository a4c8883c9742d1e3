package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/train/data"
	"diaghess/train/record"
)

// ownSets writes a text and a folder of pictures of two classes that can be told apart.
func ownSets(t *testing.T) (folder, text, pictures string) {
	folder = t.TempDir()
	lines := "size;colour;kind\n"
	for i := range 40 {
		kind := []string{"cat", "dog"}[i%2]
		lines += fmt.Sprintf("%d;%g;%s\n", i%7+10*(i%2), float64(i)/3, kind)
		picture := image.NewGray(image.Rect(0, 0, 8, 8))
		for j := range picture.Pix {
			picture.Pix[j] = uint8(100*(i%2) + i + j)
		}
		var content bytes.Buffer
		if err := png.Encode(&content, picture); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "pictures", kind, fmt.Sprintf("%d.png", i)), content.String())
	}
	text, pictures = filepath.Join(folder, "cats & dogs.csv"), filepath.Join(folder, "pictures")
	write(t, text, lines)
	return folder, text, pictures
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Files of a user's become a table of a study in one command. The page says how they were split,
// an audit repeats the runs, and rows that have changed are refused.
func TestStudyOfOwnData(t *testing.T) {
	folder, text, pictures := ownSets(t)
	out := filepath.Join(folder, "study")
	spec := text + ":label=kind"
	study := func(spec string) (string, error) {
		stdout, _, err := runApp(t, "study", "--datasets", spec+","+pictures, "--split", ".25", "--model", "mlp", "--optimizers", "adamw,sgd", "--seeds", "0-1", "--epochs", "1", "--device", "cpu", "--out", out)
		return stdout, err
	}
	page, err := study(spec)
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob(filepath.Join(out, "cats-dogs@*", "adamw", "seed-00"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("runs are in %q, %v", folders, err)
	}
	name := filepath.Base(filepath.Dir(filepath.Dir(folders[0])))
	for _, want := range []string{name + ": rows for testing 0.25 of each class, by seed; scaling mean 0, SD 1 of the rows that a run trains on.", "pictures@"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	config, _, err := (record.Run{Folder: folders[0]}).Config()
	if err != nil || config.Data == nil || config.Data.Source != spec+",split=0.25" || len(config.Data.Digest) != 64 || config.TrainPictures != 30 {
		t.Errorf("the record has %+v, %v", config.Data, err)
	}
	if stdout, _, err := runApp(t, "audit", out, "--runs", "4"); err != nil || strings.Count(stdout, ": equal\n") != 4 {
		t.Errorf("audit: %v\n%s", err, stdout)
	}

	whole, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	write(t, text, string(whole)+"1;2;cat\n")
	if _, err := study(spec); err == nil || !strings.Contains(err.Error(), "holds runs on the dataset "+name+", and it is cats-dogs@") {
		t.Errorf("with a row more: %v", err)
	}
	if stdout, _, err := runApp(t, "audit", out, "--runs", "4"); err != nil || !strings.Contains(stdout, "the dataset "+name+" is cats-dogs@") || !strings.Contains(stdout, "not comparable here") {
		t.Errorf("audit with a row more: %v\n%s", err, stdout)
	}
	for _, now := range []string{filepath.Base(text), "renamed.csv"} {
		moved := filepath.Join(folder, "moved", now)
		write(t, moved, string(whole))
		if stdout, _, err := runApp(t, "audit", out, "--runs", "4", "--datasets", moved+":label=kind,split=.25"); err != nil || strings.Count(stdout, ": equal\n") != 4 {
			t.Errorf("audit of moved rows, %s: %v\n%s", now, err, stdout)
		}
	}
	// The digest itself is compared, whatever the name.
	write(t, text, string(whole))
	path := filepath.Join(folders[0], "config.json")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(content), config.Data.Digest, strings.Repeat("0", 64), 1))
	if _, err := study(spec); err == nil || !strings.Contains(err.Error(), "digest of the dataset was 0000") {
		t.Errorf("with another digest in the record: %v", err)
	}
}

func TestDataShow(t *testing.T) {
	folder, text, pictures := ownSets(t)
	shown, err := runData(t, "show", text+":label=kind,split=.25")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"40, of 2 numbers", "30 for training, 10 for testing: 0.25 of each class, by seed", " dog      20  50.0", " size      0   16"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the summary does not say %q:\n%s", want, shown)
		}
	}
	comma := filepath.Join(folder, "cats, dogs.csv")
	if err := os.Rename(text, comma); err != nil {
		t.Fatal(err)
	}
	if shown, err := runData(t, "show", comma+":label=kind"); err != nil || !strings.Contains(shown, "40, of 2 numbers") {
		t.Errorf("a path with a comma: %v in\n%s", err, shown)
	}
	sheet := filepath.Join(folder, "sheet.png")
	text, err = runData(t, "show", pictures, "--json", "--sheet", sheet)
	if err != nil {
		t.Fatal(err)
	}
	var sum data.Summary
	_, body, _ := strings.Cut(text, "\n") // what was written comes first
	if err := json.Unmarshal([]byte(body), &sum); err != nil || sum.Rows != 40 || sum.Test != 8 || len(sum.Class) != 2 || fmt.Sprint(sum.Shape) != "[8 8 1]" {
		t.Errorf("%+v, %v of\n%s", sum, err, text)
	}
	file, err := os.Open(sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if config, err := png.DecodeConfig(file); err != nil || config.Width != 12*50+2 || config.Height != 2*50+2 {
		t.Errorf("the sheet is %+v, %v", config, err)
	}
	for _, c := range []struct{ arguments, says string }{
		{"show", "name one dataset"}, {"show digits mnist", "name one dataset"}, {"show x.csv", `"x.csv" is no dataset and no file`},
		{"show digits --sheet " + sheet, sheet + ": it is there"},
		{"show " + filepath.Join(folder, "pictures", "cat"), "there are no folders in it"},
	} {
		if _, err := runData(t, strings.Fields(c.arguments)...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("data %s: want an error with %q, got %v", c.arguments, c.says, err)
		}
	}
}
