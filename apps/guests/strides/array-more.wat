;; More than an instance may have collected.
(component
  (core module $m
    (type $bytes (array (mut i8)))
    (func (export "run") (result i32)
      (i32.eqz (array.len (array.new_default $bytes (i32.const 16777217))))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
