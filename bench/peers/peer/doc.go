// Package peer is what a system that does the same job as cloudlicenses has to
// be able to do, and what every such system needs of the machine: its packages,
// its processes, free ports and a disk that keeps what it is told to keep.
package peer
