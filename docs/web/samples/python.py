import json
import os
import urllib.error
import urllib.request

request = @REQUEST@
try:
    with urllib.request.urlopen("@ORIGIN@/method",
                                json.dumps(request).encode(),
                                timeout=5) as answer:
        print(answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
