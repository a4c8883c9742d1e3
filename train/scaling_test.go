package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/train/data"
	"diaghess/train/record"
)

// classed writes a text of rows whose inputs tell their class, and opens it with options.
func classed(t *testing.T, rows, classes int, options string) (data.Shelf, string) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 0))
	text := "a,b,c,label\n"
	for i := range rows {
		class := i % classes
		text += fmt.Sprintf("%g,%g,1e9,%d\n", 1e6+100*float64(class)+random.NormFloat64(), random.NormFloat64(), class)
	}
	path := filepath.Join(t.TempDir(), "classed.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	shelf := data.Shelf{}
	name, err := shelf.Open(t.Context(), path+options, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return shelf, name
}

// A split by seed is a function of the seed alone, divides the rows, and has of each class the
// counts that the set says.
func TestSplitBySeed(t *testing.T) {
	shelf, name := classed(t, 103, 3, ":split=.25")
	set, err := shelf.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var tests [][]uint32
	for seed := range 3 {
		train, test := rowsOf(set, seed)
		again, _ := rowsOf(set, seed)
		if !slices.Equal(train, again) {
			t.Errorf("seed %d splits otherwise the second time", seed)
		}
		if !slices.Equal(slices.Sorted(slices.Values(slices.Concat(train, test))), upTo(103)) {
			t.Errorf("seed %d: %d and %d rows are not all", seed, len(train), len(test))
		}
		counts := make([]int, 3)
		for _, row := range test {
			counts[set.Labels[row]]++
		}
		if len(test) != 26 || slices.Min(counts) < 8 || slices.Max(counts) > 9 { // of 35, 34 and 34 rows
			t.Errorf("seed %d: of each class %v are for testing", seed, counts)
		}
		tests = append(tests, slices.Sorted(slices.Values(test)))
	}
	if slices.Equal(tests[0], tests[1]) || slices.Equal(tests[1], tests[2]) {
		t.Error("two seeds have one split")
	}
}

// In a batch of all training rows each input has mean 0 and deviation 1, but one that does not
// vary, which is 0: by the kernel on the device, from a column with an offset of 1e6.
func TestScalingOfARun(t *testing.T) {
	shelf, name := classed(t, 200, 4, "")
	s := DefaultSettings()
	s.Model, s.Protocol, s.Batch = "mlp", record.ProtocolHoldout, 144
	job := digitsJob(func(to *record.Settings) { *to = s })
	job.Dataset = name
	withTrainerOn(t, shelf, job, func(r *Trainer) error {
		if r.training.batches() != 1 {
			t.Fatalf("%d batches", r.training.batches())
		}
		if err := r.training.begin(r.training.pictures, 0, 0); err != nil {
			return err
		}
		b, err := r.bind(144)
		if err != nil {
			return err
		}
		var gather gpu.Recorder
		gather.Record(r.training.gather(b))
		program, err := r.stream.Compile(gather.Ops())
		if err != nil {
			return err
		}
		if err := program.Run(); err != nil {
			return err
		}
		x := make([]float32, 144*3)
		if err := gpu.Download(r.stream, x, b.X); err != nil {
			return err
		}
		for input := range 3 {
			var mean, square float64
			for i := input; i < len(x); i += 3 {
				mean, square = mean+float64(x[i])/144, square+float64(x[i])*float64(x[i])/144
			}
			// Values of about 1 are rounded to 6e-8 three times.
			if wanted := boolToFloat(input < 2); math.Abs(mean) > 1e-6 || math.Abs(square-wanted) > 1e-6 {
				t.Errorf("input %d has the mean %g and the square %g, want 0 and %g", input, mean, square, wanted)
			}
		}
		set, err := shelf.Load(t.Context(), name)
		if err != nil {
			return err
		}
		offset, factor := scalingOf(set, r.parts.train)
		if host := hostBatch(set, offset, factor, r.training.pictures); !slices.Equal(host.X, x) {
			t.Error("the curvature check makes another batch of the same rows")
		}
		return nil
	})
}

func boolToFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// More classes than a byte counts are trained on and told apart.
func TestManyClasses(t *testing.T) {
	shelf, name := classed(t, 900, 300, ":scale=all")
	job := digitsJob(func(s *record.Settings) {
		s.Model, s.Protocol, s.Epochs, s.Limit = "mlp", record.ProtocolPilot, 2, 0
	})
	job.Dataset = name
	withTrainerOn(t, shelf, job, func(r *Trainer) error {
		final, err := r.Train(t.Context(), nil, Silent{})
		if err != nil {
			return err
		}
		confusion := make([]uint32, 300*300)
		if err := gpu.Download(r.stream, confusion, r.validation.confusion); err != nil {
			return err
		}
		of := make([]uint32, 300) // rows of each class
		for i, n := range confusion {
			of[i/300] += n
		}
		if slices.Max(of[256:]) == 0 || final.ValAcc < 0 {
			t.Errorf("no row of a class above 255 was evaluated: %v", of)
		}
		set, err := shelf.Load(t.Context(), name)
		if err != nil {
			return err
		}
		counts := make([]uint32, 300)
		for _, row := range r.parts.validation {
			counts[set.Labels[row]]++
		}
		if !slices.Equal(counts, of) {
			t.Errorf("rows of the classes were counted as %v, want %v", of, counts)
		}
		return nil
	})
}

// What does not fit a set is an error before anything is trained.
func TestCheckOfSets(t *testing.T) {
	numbers := data.Status{Name: "wine", Height: 1, Width: 1, Channels: 11, Classes: 6, Train: 100, Test: 20, Numbers: true}
	for want, change := range map[string]func(*record.Settings, *data.Status){
		"the model digitcnn convolves pictures, and a row of wine is 11 numbers": func(*record.Settings, *data.Status) {},
		"augmentation flip: wine has no pictures":                                func(s *record.Settings, _ *data.Status) { s.Model, s.Augment = "mlp", AugmentFlip },
		"the pictures of wine are no bytes": func(s *record.Settings, d *data.Status) {
			s.Model, s.Augment, d.Height = "mlp", AugmentFlip, 8
		},
		"wine has 20000 classes: a run has at most 10000":                     func(s *record.Settings, d *data.Status) { s.Model, d.Classes = "mlp", 20_000 },
		"wine has 9 rows for training and 2 for testing: under protocol hold": func(s *record.Settings, d *data.Status) { s.Model, d.Train, d.Test = "mlp", 9, 2 },
	} {
		job, set := digitsJob(func(*record.Settings) {}), numbers
		job.Limit = 0
		change(&job.Settings, &set)
		if err := Check(job.Settings, set, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
