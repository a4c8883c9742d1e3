package golden

import (
	"os"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/devices"
)

// environment names the folder of the cases; it must be absolute, since a test
// runs in its package's folder.
const environment = "DIAGHESS_GOLDEN"

// deviceEnvironment names a GPU that the cases are computed on too, cuda:0. Other devices
// than it and the cpus then have no turn.
const deviceEnvironment = "DIAGHESS_GOLDEN_DEVICE"

func openSet(t *testing.T) *Set {
	t.Helper()
	folder := os.Getenv(environment)
	if folder == "" {
		folder = "testdata"
	}
	set, err := Open(folder)
	if err != nil {
		t.Fatalf("%v (the folder is %q; %s must be absolute)", err, folder, environment)
	}
	return set
}

// Every case of the folder has a test.
func TestGoldenKinds(t *testing.T) {
	exact := []string{"cnn_curv"} // see curvature_test.go
	for _, kind := range openSet(t).Kinds() {
		if !slices.Contains(append(Kinds(), exact...), kind) {
			t.Errorf("kind %s is not known: test it, or name it here", kind)
		}
	}
}

func TestGoldenOptim(t *testing.T)     { testKind(t, "optim") }
func TestGoldenBaselines(t *testing.T) { testKind(t, "optim_baselines") }
func TestGoldenMLP(t *testing.T)       { testKind(t, "mlp") }
func TestGoldenHSolve(t *testing.T)    { testKind(t, "mlp_hsolve") }
func TestGoldenOriginal(t *testing.T)  { testKind(t, "mlp_orig") }

func TestGoldenCNN(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	testKind(t, "cnn")
}

func TestGoldenCNNFull(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	testKind(t, "cnn_full")
}

// testKind runs the trajectories of a kind on every machine.
func testKind(t *testing.T, kind string) {
	trajectories := need(openSet(t).Trajectories(kind))(t)
	if len(trajectories) == 0 {
		t.Skipf("the folder has no case of kind %s", kind)
	}
	for _, trajectory := range trajectories {
		for _, m := range machines(trajectory.Heavy) {
			t.Run(trajectory.Name+"/"+m.name, func(t *testing.T) {
				notes, err := trajectory.Run(func(threads int) (gpu.Device, error) { return m.open(t, threads) })
				for _, note := range notes {
					t.Log(note)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := trajectory.End(); err != nil {
			t.Error(err)
		}
	}
}

// machine is a way to compute a case.
type machine struct {
	name string
	open func(t *testing.T, threads int) (gpu.Device, error)
}

// machines are the cpu with every convolution library that is built in, and the GPU of
// deviceEnvironment; without that, and where the work is not heavy, the emulator, which
// runs the kernels' PTX and checks it, and the stand-ins for GPUs that are built in.
func machines(heavy bool) []machine {
	var all []machine
	add := func(name string, o devices.Options) {
		all = append(all, machine{name, func(_ *testing.T, threads int) (gpu.Device, error) {
			o.Threads = threads
			return devices.Open(o)
		}})
	}
	for _, library := range cpu.Libraries() {
		add(library, devices.Options{Name: "cpu", Library: library})
	}
	if card := os.Getenv(deviceEnvironment); card != "" {
		add("cuda", devices.Options{Name: card})
	} else if !heavy {
		add("emu", devices.Options{Name: "emu", Library: "gonum"})
		all = append(all, standIns()...)
	}
	return all
}

// need returns a function that gives the value, and ends the test on an error.
func need[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
