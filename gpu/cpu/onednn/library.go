//go:build onednn

package onednn

// #cgo CFLAGS: -O2 -Wall -Wextra -fopenmp
// #cgo LDFLAGS: -ldnnl -fopenmp
// #include "onednn.h"
// #include <dnnl_debug.h>
import "C"

import "fmt"

// Version returns the version of the library that is loaded, such as "2.6.3".
func Version() string {
	version := C.dnnl_version()
	return fmt.Sprintf("%d.%d.%d", version.major, version.minor, version.patch)
}

// checkLibrary refuses builds of oneDNN whose number of threads OpenMP does not set: how they cut the work, and so the bits, would
// depend on the machine. It also refuses a library of another API than the headers that this package was built with.
func checkLibrary() error {
	version := C.dnnl_version()
	if version.major != C.DNNL_VERSION_MAJOR {
		return fmt.Errorf("oneDNN %s is loaded, but the program was built for %d.x: build it again with this library's headers",
			Version(), C.DNNL_VERSION_MAJOR)
	}
	if version.cpu_runtime != C.DNNL_RUNTIME_OMP && version.cpu_runtime != C.DNNL_RUNTIME_SEQ {
		return fmt.Errorf("oneDNN %s was built with a threading runtime other than OpenMP (TBB or a thread pool): install one built with OpenMP,"+
			" such as Debian's and Ubuntu's libdnnl-dev, or build without the tag onednn", Version())
	}
	return nil
}

// statusError turns a status of the library into an error that says what was being done; nil on success.
func statusError(status C.dnnl_status_t, doing string, arguments ...any) error {
	if status == C.dnnl_success {
		return nil
	}
	return fmt.Errorf("oneDNN %s: %s: %s", Version(), fmt.Sprintf(doing, arguments...), C.GoString(C.dnnl_status2str(status)))
}
