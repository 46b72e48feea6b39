"""A real S3-compatible server with one bucket and one access key, which checks signatures. Prints where it is and the key as
a line of JSON, and, for each line it is sent, what the bucket holds."""

import base64
import json
import os
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
BUCKET, REGION = "logs", "eu-central-1"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://{host}:{port}"


def client(service, access_key, secret_key):
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=address,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )


iam = client("iam", "setup", "setup")
iam.create_user(UserName="doorward")
key = iam.create_access_key(UserName="doorward")["AccessKey"]
statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
iam.put_user_policy(UserName="doorward", PolicyName="all", PolicyDocument=policy)
place = {"LocationConstraint": REGION}
client("s3", "setup", "setup").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
# From here on every request must be signed.
plain = {"Content-Type": "text/plain"}
urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset-auth", data=b"0", headers=plain)).read()

known = {"address": address, "access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
print(json.dumps(known), flush=True)
storage = client("s3", key["AccessKeyId"], key["SecretAccessKey"])
for _ in sys.stdin:
    held = storage.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    texts = {one["Key"]: storage.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in held}
    print(json.dumps({name: base64.b64encode(text).decode() for name, text in texts.items()}), flush=True)
