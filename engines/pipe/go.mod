module trueup.dev/engines/pipe

go 1.26.0
