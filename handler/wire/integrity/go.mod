module spangate/handler/wire/integrity

go 1.26.0
