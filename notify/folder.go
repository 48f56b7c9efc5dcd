package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Folder is a [Mailer] that writes each message as <id>.eml into a folder, for
// dev. A file appears whole, by rename, and a repeated delivery replaces its own.
// Only the user may read: mails hold one-time links, which stand in the file as they
// are to be used.
type Folder struct{ dir string }

// NewFolder makes the folder where it is missing.
func NewFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail folder: %w", err)
	}
	return &Folder{dir: dir}, nil
}

// Send writes the message. What goes wrong with the disk is temporary.
func (f *Folder) Send(ctx context.Context, m *Message) error {
	msg, err := m.compose(true)
	if err != nil {
		return &MailError{Permanent: true, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return &MailError{Err: err}
	}
	file, err := os.CreateTemp(f.dir, ".mail-*") // mode 0600
	if err != nil {
		return &MailError{Err: err}
	}
	_, err = msg.WriteTo(file)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(f.dir, string(m.ID)+".eml"))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return &MailError{Err: err}
	}
	return nil
}
