;; One memory.fill, and one memory.copy, of the largest memory.
(component
  (core module $m
    (memory 4096)
    (func $run (export "run") (result i32)
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x10000000))
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 0xfffffff))
      (i32.ne (i32.load8_u (i32.const 0xfffffff)) (i32.const 7))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
