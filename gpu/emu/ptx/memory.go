package ptx

import (
	"fmt"
	"sort"
	"sync"
)

const (
	globalStart     = 4 << 32 // global memory: no small number is an address
	allocationAlign = 256     // as cudaMalloc's
	redZone         = 1 << 20 // least distance between allocations
	addressEnd      = 1 << 47
	atomicLocks     = 64
	freedKept       = 4096 // freed allocations remembered for messages
)

// Allocation is a piece of global memory. Data is ordinary memory: the host reads and writes it while no kernel runs.
type Allocation struct {
	Name    string
	Address uint64
	Data    []byte

	written []byte // 1 for each byte that has been written; nil if all of it is initialized
	number  int    // index in Memory.allocations
	size    int    // of a freed allocation, whose data is gone
}

// MarkInitialized says that the host has written bytes of Data from offset on. It panics if they are not within the allocation.
func (a *Allocation) MarkInitialized(offset, bytes int) {
	if offset < 0 || bytes < 0 || offset+bytes > len(a.Data) {
		panic(fmt.Sprintf("ptx: bytes %d to %d of allocation %s, which has %d", offset, offset+bytes, a.Name, len(a.Data)))
	}
	if a.written == nil {
		return
	}
	for i := range a.written[offset : offset+bytes] {
		a.written[offset+i] = 1
	}
}

// MarkUninitialized says that what is in Data is rubbish: reads before writes are faults from now on.
func (a *Allocation) MarkUninitialized() { a.written = make([]byte, len(a.Data)) }

// Memory is a device's global memory. Its methods may be called from many goroutines; allocations and launches exclude each other.
type Memory struct {
	mutex       sync.RWMutex  // held for reading by launches
	allocations []*Allocation // by address
	freed       []*Allocation // by address, without data
	next        uint64
	shadow      sync.Pool               // pages of globalRaces
	atomics     [atomicLocks]sync.Mutex // one for the addresses of each residue
}

// NewMemory gives an empty memory.
func NewMemory() *Memory {
	return &Memory{next: globalStart}
}

// Allocate makes an allocation of zeroed bytes at an address that is a multiple of 256. If it is not initialized, a kernel that
// reads a byte that nobody wrote is at fault under CheckMemory. The name is for messages.
func (m *Memory) Allocate(name string, bytes int, initialized bool) (*Allocation, error) {
	if bytes < 0 {
		return nil, fmt.Errorf("ptx: allocation of %s: %d bytes", name, bytes)
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	// An overrun as long as the allocation itself still lands in no neighbour.
	zone := max(redZone, uint64(bytes))
	if uint64(bytes) >= addressEnd-m.next || m.next+uint64(bytes)+zone >= addressEnd {
		return nil, fmt.Errorf("ptx: allocation of %s: no address space left for %d bytes", name, bytes)
	}
	a := &Allocation{Name: name, Address: m.next, Data: make([]byte, bytes), number: len(m.allocations)}
	if !initialized {
		a.MarkUninitialized()
	}
	m.next = (m.next + uint64(bytes) + zone + allocationAlign - 1) &^ (allocationAlign - 1)
	m.allocations = append(m.allocations, a)
	return a, nil
}

// Free ends the allocation that starts at the address. The address is never used again.
func (m *Memory) Free(address uint64) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].Address >= address })
	if i == len(m.allocations) || m.allocations[i].Address != address {
		return fmt.Errorf("ptx: free of %#x, where no allocation starts", address)
	}
	a := m.allocations[i]
	m.allocations = append(m.allocations[:i:i], m.allocations[i+1:]...)
	for j, later := range m.allocations[i:] {
		later.number = i + j
	}
	gone := &Allocation{Name: a.Name, Address: a.Address, size: len(a.Data)}
	at := sort.Search(len(m.freed), func(i int) bool { return m.freed[i].Address >= address })
	m.freed = append(m.freed[:at], append([]*Allocation{gone}, m.freed[at:]...)...)
	if len(m.freed) > freedKept {
		m.freed = m.freed[1:]
	}
	return nil
}

// find gives the allocation that holds the address, or nil.
func (m *Memory) find(address uint64) *Allocation {
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].Address > address }) - 1
	if i < 0 || address-m.allocations[i].Address >= uint64(len(m.allocations[i].Data)) {
		return nil
	}
	return m.allocations[i]
}

// explain describes an address that no allocation holds: the kind of fault, and the nearest allocation.
func (m *Memory) explain(address uint64) (FaultKind, string) {
	for _, a := range m.freed {
		if address >= a.Address && address-a.Address < uint64(a.size) {
			return FaultUseAfterFree, fmt.Sprintf("%s, freed, byte %d of %d", a.Name, address-a.Address, a.size)
		}
	}
	var nearest string
	best := ^uint64(0)
	for _, a := range m.allocations {
		end := a.Address + uint64(len(a.Data))
		switch {
		case address >= end && address-end < best:
			best = address - end
			nearest = fmt.Sprintf("%d bytes past the end of %s, which has %d", best, a.Name, len(a.Data))
		case address < a.Address && a.Address-address < best:
			best = a.Address - address
			nearest = fmt.Sprintf("%d bytes before the start of %s, which has %d", best, a.Name, len(a.Data))
		}
	}
	if nearest == "" {
		nearest = "there are no allocations"
	} else if best > addressEnd/4 || address < globalStart {
		nearest = "not an address of global memory"
	}
	return FaultOutOfBounds, nearest
}
