package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/record"
	"diaghess/train/study"
)

// cifar is the pilot's dataset.
const cifar = "cifar10"

// The pilot's study of CIFAR-10, whose settings are the default: 20 seeds of two optimizers.
const pilotRuns, pilotPictures = 40, 50_000

// epochCheck is the first epoch of the pilot's study, or of a smaller one.
type epochCheck struct {
	runs, pictures int
	data           data.Shelf
}

// epochReport is what an epoch took, as a study trains it: runs are made, trained, validated and
// kept on the disk.
type epochReport struct {
	Runs     int    `json:"runs"`
	Pictures int    `json:"pictures"` // of a run's epoch
	Dataset  string `json:"dataset"`
	// Start is the time until the first step, and Epoch that from then on to the end of the last run.
	Start float64 `json:"start_seconds"`
	Epoch float64 `json:"epoch_seconds"`
	// Study is the projected time of the pilot's study: the start, and as many epochs of as many
	// pictures and runs as it has.
	Study float64 `json:"projected_study_seconds"`
}

// project sets the projected time.
func (r *epochReport) project() {
	share := float64(r.Runs) / pilotRuns * float64(r.Pictures) / pilotPictures
	r.Study = r.Start + float64(train.DefaultSettings().Epochs)*r.Epoch/share
}

// trainEpoch trains the first epoch of a study in a folder that is removed.
func (g *gpuCheck) trainEpoch(ctx context.Context) (note string, err error) {
	folder, err := os.MkdirTemp("", "diaghess-gpu-check-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	dataset, on, err := g.epoch.pictureSet(ctx)
	if err != nil {
		return "", err
	}
	s := &study.Study{
		Settings: g.workload.Settings, Datasets: []string{dataset}, Optimizers: g.workload.Optimizers, Out: folder,
		Data: on, Device: g.report.Device, Until: 1,
	}
	arms := len(g.workload.Optimizers)
	for seed := range g.epoch.runs / arms {
		s.Seeds = append(s.Seeds, seed)
	}
	start := time.Now()
	first := &firstStep{}
	if err := s.Run(ctx, first); err != nil {
		return "", err
	}
	end := time.Now()
	r := &epochReport{
		Runs: arms * len(s.Seeds), Pictures: g.epoch.pictures, Dataset: dataset,
		Start: first.at.Sub(start).Seconds(), Epoch: end.Sub(first.at).Seconds(),
	}
	r.project()
	g.report.Epoch = r
	what := fmt.Sprintf("%d %s", r.Pictures, dataset)
	if dataset == cifar {
		what = fmt.Sprintf("%d pictures of %s", r.Pictures, dataset)
	}
	return fmt.Sprintf("an epoch of %s on %s: %.1f s, after %.1f s to the first step; the pilot's study, %d runs of %d epochs on %d pictures, takes %.0f s at this rate",
		record.Plural(r.Runs, "run"), what, r.Epoch, r.Start, pilotRuns, s.Epochs, pilotPictures, r.Study), nil
}

// pictureSet returns the name of CIFAR-10, where all of it is asked for and there, or else of random
// pictures, and the shelf that it is on.
func (e epochCheck) pictureSet(ctx context.Context) (name string, on data.Shelf, err error) {
	const random = "random pictures"
	on = e.data
	sets, err := on.List()
	if err != nil {
		return "", on, err
	}
	fetched := func(s data.Status) bool { return s.Name == cifar && s.State != data.Absent }
	if e.pictures == pilotPictures && slices.ContainsFunc(sets, fetched) {
		return cifar, on, nil // what is wrong with it is said when it is read
	}
	const classes = 10
	set := train.RandomSet(e.pictures, max(1, e.pictures/5), classes)
	on.Sources = append(slices.Clone(on.Sources), data.Source{
		Status: data.Status{Name: random, Height: set.Height, Width: set.Width, Channels: set.Channels, Classes: classes, Train: e.pictures, Test: set.Testing},
		Table: func(context.Context, string) (*data.Table, error) {
			t := &data.Table{Shape: []int{set.Height, set.Width, set.Channels}, Bytes: set.Images, Divisor: set.Divisor, Labels: set.Labels, Test: set.Testing}
			for class := range classes {
				t.Classes = append(t.Classes, strconv.Itoa(class))
			}
			return t, nil
		},
	})
	name, err = on.Open(ctx, random, data.Options{})
	return name, on, err
}

// firstStep observes when the first step of a study was queued.
type firstStep struct {
	study.Silent
	once sync.Once
	at   time.Time
}

func (f *firstStep) Run(record.Job, record.Config, int, int) study.RunObserver {
	return stepObserver{first: f}
}

type stepObserver struct {
	study.Silent
	first *firstStep
}

func (o stepObserver) Step(int) { o.first.once.Do(func() { o.first.at = time.Now() }) }
