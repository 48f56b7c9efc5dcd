module github.com/cloudlicenses/cloudlicenses/clients/go

go 1.26.0
