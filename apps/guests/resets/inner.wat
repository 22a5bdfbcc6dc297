;; A component within it has code.
(component
  (component $inner
    (core module $code
      (memory 1)
      (func (export "run") (result i32) (i32.store8 (i32.const 7) (i32.const 7)) (i32.const 0)))
    (core instance $i (instantiate $code))
    (func (export "run") (result (result)) (canon lift (core func $i "run"))))
  (instance $command (instantiate $inner))
  (export "wasi:cli/run@0.2.12" (instance $command)))
