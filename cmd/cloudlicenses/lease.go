package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/clients/go"
)

const workstationEnvironment = `
The tenant's URL and an API key are read from LICENSE_SERVER_URL and
LICENSE_API_KEY. A secured cluster whose certificates are of its own CA needs
--ca-file.`

// workstation is a client of a tenant's license server, with the flags that
// checkout, return, leases and run share.
type workstation struct {
	caFile  string
	timeout time.Duration
}

func (w *workstation) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.caFile, "ca-file", "", "CA of a secured cluster whose certificates are its own: ca.crt of 'cert create-ca'")
	cmd.Flags().DurationVar(&w.timeout, "timeout", licenseclient.DefaultTimeout, "how long to try, retries included")
}

// connect makes the client. It sends nothing.
func (w *workstation) connect() (*licenseclient.Client, error) {
	const wantURL, wantKey = "the tenant's URL (https://<tenant>.<domain>)", "an API key of the tenant (clsk_…)"
	switch url, key := os.Getenv(licenseclient.EnvServerURL), os.Getenv(licenseclient.EnvAPIKey); {
	case url == "" && key == "":
		return nil, usagef("%s and %s are not set: want %s and %s", licenseclient.EnvServerURL, licenseclient.EnvAPIKey, wantURL, wantKey)
	case url == "":
		return nil, usagef("%s is not set: want %s", licenseclient.EnvServerURL, wantURL)
	case key == "":
		return nil, usagef("%s is not set: want %s", licenseclient.EnvAPIKey, wantKey)
	}
	transport, err := newHTTPTransport(w.caFile)
	if err != nil {
		return nil, err
	}
	v, _ := buildVersion()
	client, err := licenseclient.New(licenseclient.Options{
		ServerURL:  os.Getenv(licenseclient.EnvServerURL),
		APIKey:     os.Getenv(licenseclient.EnvAPIKey),
		HTTPClient: &http.Client{Transport: transport},
		UserAgent:  "cloudlicenses/" + v,
		Timeout:    w.timeout,
	})
	if err != nil {
		named := strings.NewReplacer("ServerURL", licenseclient.EnvServerURL, "APIKey", licenseclient.EnvAPIKey)
		return nil, usagef("%s", named.Replace(strings.TrimPrefix(err.Error(), licenseclient.ErrConfig.Error()+": ")))
	}
	return client, nil
}

// checkoutFlags are those of checkout and run.
type checkoutFlags struct {
	request licenseclient.CheckoutRequest
}

func (f *checkoutFlags) addTo(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.request.ProductID, "product", "", "product to check out (required)")
	fs.StringVar(&f.request.VendorID, "vendor", "", "its vendor, where two vendors share a product id")
	fs.StringVar(&f.request.User, "user", currentUser(), "who uses it")
	fs.IntVar(&f.request.Count, "count", 1, "seats, all or none")
	fs.StringVar(&f.request.Version, "app-version", "", "version of the application, where the license has a range")
	fs.DurationVar(&f.request.TTL, "ttl", 0, "how long the lease lives without a heartbeat: 1m to 24h (default 5m)")
	fs.BoolVar(&f.request.NoOverage, "no-overage", false, "decline seats that are charged as overage")
}

func (f *checkoutFlags) check() error {
	switch {
	case f.request.ProductID == "":
		return usagef("--product is missing: name the product")
	case f.request.Count < 1:
		return usagef("--count %d: want 1 or more", f.request.Count)
	case f.request.TTL != 0 && (f.request.TTL < cloudlicenses.MinTTL || f.request.TTL > cloudlicenses.MaxTTL):
		return usagef("--ttl %s: want 1m to 24h", f.request.TTL)
	}
	return nil
}

// checkoutFlag is the flag of a field of a checkout, by its JSON pointer.
var checkoutFlag = map[string]string{
	"/product_id": "--product", "/vendor_id": "--vendor", "/user": "--user",
	"/count": "--count", "/version": "--app-version", "/ttl_seconds": "--ttl",
}

// explainCheckout says of a checkout that was refused for its fields which
// flags set them.
func explainCheckout(client *licenseclient.Client, request *licenseclient.CheckoutRequest, err error) error {
	var refusal *licenseclient.Error
	if !errors.As(err, &refusal) || refusal.Code != licenseclient.ErrInvalidField || len(refusal.Fields) == 0 {
		return fmt.Errorf("checkout of %s: %w", request.ProductID, explainServer(client, err))
	}
	var wrong []string
	for _, field := range refusal.Fields {
		flag := checkoutFlag[field.Pointer]
		if flag == "" {
			flag = field.Pointer + field.Parameter + field.Header
		}
		if flag == "--app-version" {
			flag += " " + request.Version
		}
		wrong = append(wrong, flag+": "+field.Detail)
	}
	return fmt.Errorf("checkout of %s: %s (%w)", request.ProductID, strings.Join(wrong, "; "), refusal.Code)
}

// explainServer says what is wrong with the server's URL, where that is why a
// call failed.
func explainServer(client *licenseclient.Client, err error) error {
	u, parseErr := url.Parse(client.ServerURL())
	var unknownCA x509.UnknownAuthorityError
	switch {
	case parseErr != nil:
		return err
	case errors.As(err, &unknownCA):
		return fmt.Errorf("%s is %s, whose certificate is signed by an authority unknown here: name the cluster's with --ca-file (ca.crt of 'cert create-ca')",
			licenseclient.EnvServerURL, client.ServerURL())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("connection refused: nothing listens at %s, which is %s; is the server running there?", u.Host, licenseclient.EnvServerURL)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s is %s, which speaks plain HTTP: use http://%s", licenseclient.EnvServerURL, client.ServerURL(), u.Host)
	case !errors.Is(err, licenseclient.ErrNotFound):
		return err
	}
	return fmt.Errorf("%w; %s is %s: use %s://<tenant>.%s", err, licenseclient.EnvServerURL, client.ServerURL(), u.Scheme, u.Host)
}

// currentUser is the login name of who runs the command.
func currentUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

func newCheckoutCommand() *cobra.Command {
	var w workstation
	var flags checkoutFlags
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "checkout",
		Short: "Check a license out",
		Long: `Checks a license out and prints the lease. Nothing keeps it alive: it ends after
its TTL, or with 'cloudlicenses return'. 'cloudlicenses run' keeps one alive.
` + workstationEnvironment,
		Example: `  export LICENSE_SERVER_URL=https://mercedes.cloudlicenses.com LICENSE_API_KEY=clsk_mercedes_…
  cloudlicenses checkout --product davinci-configurator-se --user alice@mercedes.com
  cloudlicenses checkout --product davinci-configurator-se --ttl 8h --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			client, err := w.connect()
			if err != nil {
				return err
			}
			defer client.Close()
			lease, err := client.Checkout(cmd.Context(), flags.request)
			if err != nil {
				return explainCheckout(client, &flags.request, err)
			}
			return printLease(cmd, output, lease)
		},
	}
	w.addTo(cmd)
	flags.addTo(cmd)
	cmd.Flags().BoolVar(&flags.request.Token, "token", false, "ask for a signed statement of the lease")
	output.addTo(cmd.Flags())
	return cmd
}

func printLease(cmd *cobra.Command, output outputFormat, lease *licenseclient.Lease) error {
	if output == outputJSON {
		return printJSON(cmd.OutOrStdout(), struct {
			LeaseID          string    `json:"lease_id"`
			LicenseID        string    `json:"license_id"`
			ProductID        string    `json:"product_id"`
			User             string    `json:"user"`
			Type             string    `json:"type"`
			Count            int       `json:"count"`
			OverageCount     int       `json:"overage_count"`
			IssuedAt         time.Time `json:"issued_at"`
			ExpiresAt        time.Time `json:"expires_at"`
			HeartbeatSeconds float64   `json:"heartbeat_seconds"`
			Token            string    `json:"token,omitempty"`
		}{
			lease.ID, lease.LicenseID, lease.ProductID, lease.User, string(lease.Type), lease.Count, lease.OverageCount,
			lease.IssuedAt, lease.ExpiresAt(), lease.HeartbeatInterval.Seconds(), lease.Token(),
		})
	}
	t := table{header: []string{"LEASE", "LICENSE", "TYPE", "SEATS", "OVERAGE", "USER", "EXPIRES"}}
	t.add(lease.ID, lease.LicenseID, string(lease.Type), strconv.Itoa(lease.Count), strconv.Itoa(lease.OverageCount),
		lease.User, lease.ExpiresAt().UTC().Format(time.RFC3339))
	if err := t.print(cmd.OutOrStdout()); err != nil {
		return err
	}
	if token := lease.Token(); token != "" {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "\n%s\n", token)
		return err
	}
	return nil
}

func newReturnCommand() *cobra.Command {
	var w workstation
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "return LEASE",
		Short: "Return a license",
		Long: `Returns a lease by its id. Returning it again is no error.
` + workstationEnvironment,
		Example: `  cloudlicenses return lease-42`,
		Args:    exactArgs(1, "the id of a lease, such as lease-42"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := w.connect()
			if err != nil {
				return err
			}
			defer client.Close()
			receipt, err := client.Return(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("return of %s: %w", args[0], explainServer(client, err))
			}
			if output == outputJSON {
				return printJSON(cmd.OutOrStdout(), receipt)
			}
			t := table{header: []string{"LEASE", "LICENSE", "TYPE", "RETURNED"}}
			t.add(receipt.LeaseID, receipt.LicenseID, string(receipt.Type), receipt.ReturnedAt.UTC().Format(time.RFC3339))
			return t.print(cmd.OutOrStdout())
		},
	}
	w.addTo(cmd)
	output.addTo(cmd.Flags())
	return cmd
}

func newLeasesCommand() *cobra.Command {
	var w workstation
	var filter licenseclient.LeaseFilter
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "List the live leases of the key",
		Long: `Lists the live leases that the API key holds.
` + workstationEnvironment,
		Example: `  cloudlicenses leases
  cloudlicenses leases --user alice@mercedes.com --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := w.connect()
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), w.timeout)
			defer cancel()
			leases := []licenseclient.LeaseInfo{}
			for lease, err := range client.Leases(ctx, filter) {
				if err != nil {
					return fmt.Errorf("list leases: %w", explainServer(client, err))
				}
				leases = append(leases, lease)
			}
			if output == outputJSON {
				return printJSON(cmd.OutOrStdout(), leases)
			}
			t := table{header: []string{"LEASE", "PRODUCT", "TYPE", "SEATS", "OVERAGE", "USER", "HOSTNAME", "EXPIRES"}}
			for _, l := range leases {
				t.add(l.LeaseID, l.ProductID, string(l.Type), strconv.Itoa(l.Count), strconv.Itoa(l.OverageCount),
					l.User, l.Hostname, l.ExpiresAt.UTC().Format(time.RFC3339))
			}
			return t.print(cmd.OutOrStdout())
		},
	}
	w.addTo(cmd)
	cmd.Flags().StringVar(&filter.LicenseID, "license", "", "leases of this license only")
	cmd.Flags().StringVar(&filter.User, "user", "", "leases of this user only")
	output.addTo(cmd.Flags())
	return cmd
}
