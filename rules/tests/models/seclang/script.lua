m.log(1, "hello")
