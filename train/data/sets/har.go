package sets

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"diaghess/train/data"
)

// harSignals are the files of "Inertial Signals", in the order of their names.
var harSignals = []string{
	"body_acc_x", "body_acc_y", "body_acc_z",
	"body_gyro_x", "body_gyro_y", "body_gyro_z",
	"total_acc_x", "total_acc_y", "total_acc_z",
}

// harSamples is the number of samples that a row has of each signal.
const harSamples = 128

// loadHAR returns the raw signals, one after the other in each row, with the rows of the
// official training part before those of the official test part.
func loadHAR(file []byte) (*data.Table, error) {
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("read the signals: %w", err)
	}
	width := len(harSignals) * harSamples
	t := &data.Table{Shape: []int{width}, Classes: []string{"walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying"}}
	for _, signal := range harSignals {
		for i := range harSamples {
			t.Columns = append(t.Columns, fmt.Sprintf("%s %d", signal, i))
		}
	}
	for _, part := range []string{"train", "test"} {
		labels, err := harNumbers(archive, fmt.Sprintf("%s/y_%s.txt", part, part))
		if err != nil {
			return nil, err
		}
		rows := make([]float64, len(labels)*width)
		for i, signal := range harSignals {
			name := fmt.Sprintf("%s/Inertial Signals/%s_%s.txt", part, signal, part)
			samples, err := harNumbers(archive, name)
			if err != nil {
				return nil, err
			}
			if len(samples) != len(labels)*harSamples {
				return nil, fmt.Errorf("%s has %d numbers instead of %d for each of %d rows", name, len(samples), harSamples, len(labels))
			}
			for row := range labels {
				copy(rows[row*width+i*harSamples:], samples[row*harSamples:][:harSamples])
			}
		}
		t.Values = append(t.Values, rows...)
		for _, label := range labels {
			t.Labels = append(t.Labels, int32(label)-1)
		}
	}
	return t, t.Check()
}

// harNumbers returns the numbers in a file of the archive.
func harNumbers(archive fs.FS, name string) ([]float64, error) {
	file, err := archive.Open("UCI HAR Dataset/" + name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var numbers []float64
	for _, field := range bytes.Fields(text) {
		number, err := strconv.ParseFloat(string(field), 64)
		if err != nil {
			return nil, fmt.Errorf("number %d of %s: %w", len(numbers)+1, name, err)
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}
