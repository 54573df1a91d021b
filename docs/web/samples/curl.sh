curl -sS --max-time 5 @ORIGIN@/method \
  -d '@REQUEST@'
